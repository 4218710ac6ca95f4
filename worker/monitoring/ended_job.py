"""How a job ended, as its stored result says (`EndedJob`)."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from worker.errors import RemoteError

# An outcome's status is one of a few words. What an arq user's job returned under that name may be anything.
_STATUS = re.compile(r"[a-z_]{1,40}")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class EndedJob:
    """How a job ended: `error` is the class of its error, `status` that of its outcome; empty if it has none.

    Messages of errors are left out, because they may repeat a payload.
    """

    function: str
    queue: str
    success: bool
    aborted: bool
    error: str
    status: str
    tries: int
    enqueued_ms: int
    started_ms: int
    finished_ms: int

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Self:
        """Return what a decoded result message says."""
        value = result["r"]
        error = status = ""
        if not result["s"]:
            # A result of another program may have any value in an error's place.
            error = value.kind if isinstance(value, RemoteError) else type(value).__name__
        elif isinstance(value, dict) and _STATUS.fullmatch(str(value.get("status"))):
            status = str(value["status"])
        return cls(
            function=result["f"],
            queue=result["q"],
            success=result["s"],
            aborted=not result["s"] and isinstance(value, asyncio.CancelledError),
            error=error[:_LONGEST_NAME],
            status=status,
            tries=result["t"] or 1,
            enqueued_ms=result["et"],
            started_ms=result["st"],
            finished_ms=result["ft"],
        )
