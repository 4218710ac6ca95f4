"""Encodes and decodes causal tokens: URL-safe text that is opaque to callers.

A token holds the operation time of a write, and the cluster time that vouches for it. The cluster time has a
signature, which a cluster with authentication verifies.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import bson
from bson.errors import BSONError
from bson.timestamp import Timestamp

from worker.errors import InvalidPayload, PayloadProblem

_LONGEST_TOKEN = 1_024


@dataclass(frozen=True, slots=True)
class CausalPoint:
    """A point in the history of a cluster; `cluster_time` is a `$clusterTime` document."""

    operation_time: Timestamp
    cluster_time: dict[str, Any]


def encode_token(point: CausalPoint) -> str:
    """Return the token of a point."""
    content = bson.encode({"o": point.operation_time, "c": point.cluster_time})
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode_token(token: str) -> CausalPoint:
    """Return the point of a token. Raises `InvalidPayload` if it is not a token of this service."""
    if len(token) <= _LONGEST_TOKEN:
        try:
            content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            match bson.decode(content):
                # The server would reject an operation time after the cluster time. Rejecting it here gives an error
                # that names the token.
                case {
                    "o": Timestamp() as operation_time,
                    "c": {"clusterTime": Timestamp() as time} as cluster_time,
                }:
                    if operation_time <= time:
                        return CausalPoint(operation_time, cluster_time)
        except (binascii.Error, BSONError, ValueError):
            # Reported below, like every other malformed token.
            pass
    raise InvalidPayload("causal token", [PayloadProblem("token", "not a token of an outcome")])
