import base64

import bson
import pytest
from bson.timestamp import Timestamp

from worker.errors import InvalidPayload
from worker.mongo.tokens import CausalPoint, decode_token, encode_token

CLUSTER_TIME = {"clusterTime": Timestamp(100, 2), "signature": {"hash": b"\0" * 20, "keyId": 7}}
TOKEN = encode_token(CausalPoint(Timestamp(100, 1), CLUSTER_TIME))


def as_token(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(bson.encode(content)).rstrip(b"=").decode()


def test_a_token_holds_both_times_and_the_signature() -> None:
    assert decode_token(TOKEN) == CausalPoint(Timestamp(100, 1), CLUSTER_TIME)


def test_a_token_is_url_safe_and_short() -> None:
    assert len(TOKEN) < 250
    assert TOKEN.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "nonsense",
        "ä",
        TOKEN[:-10],
        TOKEN + "AAAA",
        "A" * 2_000_000,
        as_token({}),
        as_token({"o": 1, "c": CLUSTER_TIME}),
        as_token({"o": Timestamp(1, 1), "c": {}}),
        as_token({"o": Timestamp(1, 1), "c": {"clusterTime": 5}}),
        as_token({"o": Timestamp(101, 1), "c": CLUSTER_TIME}),
    ],
)
def test_an_invalid_token_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(InvalidPayload, match="not a token of an outcome") as refused:
        decode_token(token)
    assert len(str(refused.value)) < 100
