"""How the text of one variable becomes the value of a setting, and which values are accepted.

A message says what was expected, and never repeats the value, which may contain a secret.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from worker.contract import BULK_QUEUE
from worker.contract.fields import Source
from worker.redis_url import split_sentinel_url

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")
_MONGODB_SCHEMES = ("mongodb://", "mongodb+srv://")
_LEAST_SECRET_LENGTH = 16
_SLOTS = re.compile(r"[1-9][0-9]{0,4}")


def _redis_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(_REDIS_SCHEMES):
        raise ValueError(f"expected a URL that begins with {', '.join(_REDIS_SCHEMES)}")
    if split_sentinel_url(url.get_secret_value()):
        return url
    try:
        _ = urlsplit(url.get_secret_value()).port
    except ValueError:
        # The parser's own message quotes the invalid port, which is often part of the password.
        raise ValueError("not a valid URL; write /, @, : and # in a password as %2F, %40, %3A, %23") from None
    parts = urlsplit(url.get_secret_value())
    # redis-py uses database 0 if the path is not a number.
    if parts.scheme != "unix" and not parts.path.removeprefix("/").isdigit() and parts.path not in ("", "/"):
        raise ValueError("expected the database number after the port, such as /0")
    return url


def _mongodb_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(_MONGODB_SCHEMES):
        raise ValueError(f"expected a URL that begins with {' or '.join(_MONGODB_SCHEMES)}")
    return url


def _split_queues(value: object) -> object:
    """Return the slots of each queue, `None` where the text names none; what is not text is left as it is."""
    if not isinstance(value, str):
        return value
    queues: dict[str, int | None] = {}
    for entry in value.split(","):
        name, separator, slots = (part.strip() for part in entry.partition("="))
        if not name or name in queues or (separator and not _SLOTS.fullmatch(slots)):
            raise ValueError("expected different queue names separated by commas, each NAME or NAME=SLOTS")
        queues[name] = int(slots) if separator else None
    return queues


def _every_share_is_known(queues: dict[str, int | None]) -> dict[str, int | None]:
    first = next(iter(queues), None)
    if first is None:
        raise ValueError("expected at least one queue")
    if any(slots is None and name not in (first, BULK_QUEUE) for name, slots in queues.items()):
        raise ValueError(
            f"each queue but the first and {BULK_QUEUE} needs its number of slots, such as arq:queue:reports=20"
        )
    return queues


def _split_keys(value: object) -> object:
    """Return the secret of each key id; what is not text is left as it is."""
    if not isinstance(value, str):
        return value
    keys: dict[str, str] = {}
    for pair in value.split(","):
        key_id, separator, secret = pair.strip().partition(":")
        if (
            not separator
            or not (key_id.isascii() and key_id.isalnum())
            or key_id in keys
            or len(secret) < _LEAST_SECRET_LENGTH
        ):
            raise ValueError(
                "expected different ID:SECRET pairs separated by commas, each ID letters and digits, "
                f"each SECRET {_LEAST_SECRET_LENGTH} characters or more"
            )
        keys[key_id] = secret
    return keys


def _pairs(value_pattern: str, expected: str) -> BeforeValidator:
    """Return what splits `NAME=VALUE` pairs of different names; what is not text is left as it is."""

    def split(given: object) -> object:
        if not isinstance(given, str):
            return given
        pairs: dict[str, str] = {}
        for entry in given.split(","):
            name, _, value = (part.strip() for part in entry.partition("="))
            if not name or name in pairs or not re.fullmatch(value_pattern, value):
                raise ValueError(f"expected {expected} separated by commas")
            pairs[name] = value
        return pairs

    return BeforeValidator(split)


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Slots = Annotated[int, Field(ge=1, le=50_000)]
Rate = Annotated[float, Field(gt=0)]

RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
MongodbUrl = Annotated[SecretStr, AfterValidator(_mongodb_url)]
ServedQueues = Annotated[
    dict[str, Slots | None], NoDecode, BeforeValidator(_split_queues), AfterValidator(_every_share_is_known)
]
SigningKeys = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_split_keys)]
Bounds = Annotated[dict[str, int], NoDecode, _pairs(r"[1-9][0-9]{0,8}", "NAME=JOBS pairs of different queues")]
Rates = Annotated[
    dict[str, Rate],
    NoDecode,
    _pairs(r"[0-9]{1,6}(?:\.[0-9]{1,3})?", "NAME=JOBS-PER-SECOND pairs of different queues"),
]
SourceQueues = Annotated[dict[Source, str], NoDecode, _pairs(r".+", "SOURCE=NAME pairs of different sources")]
