"""API keys: whose each is and what it allows, from `GATEWAY_KEYS`; how one is made, and what is kept of it."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, cast, get_args

from worker.errors import ConfigurationError

Scope = Literal["read", "enqueue", "operate"]
"""`read`: jobs, hospitals, imports, metrics; `enqueue`: jobs and uploads; `operate`: abort jobs, cancel imports."""
SCOPES: tuple[Scope, ...] = get_args(Scope)

_OWNER = re.compile(r"[A-Za-z0-9._@-]{1,100}")
_PREFIX = "hrk_"
# 256 random bits: nobody can try them all, so a quick digest protects a key as well as a slow one, and a request
# has no tenth of a second for that.
_RANDOM_BYTES = 32
_HASH = re.compile(r"sha256\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key: its owner, its scopes, and its digest."""

    owner: str
    scopes: frozenset[Scope]
    digest: bytes


class Keys:
    """All keys. Raises `ConfigurationError`, without any hash in it, if there are none or one is invalid."""

    def __init__(self, setting: str) -> None:
        self._keys = _read(setting)

    def find(self, key: str) -> ApiKey | None:
        """Return what is known of a key, in time that does not say how near it is to another."""
        digest = _digest(key)
        found = None
        for known in self._keys:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found


def make_key() -> str:
    """Return a new key. It is shown once, and kept nowhere."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def entry_of(owner: str, scopes: Collection[Scope], key: str) -> str:
    """Return what `GATEWAY_KEYS` has of a key. Raises `ConfigurationError` if nobody can be called `owner`."""
    if not _OWNER.fullmatch(owner):
        raise ConfigurationError("a key's NAME has 1 to 100 letters, digits and characters of . _ @ -")
    digest = base64.urlsafe_b64encode(_digest(key)).decode().rstrip("=")
    return f"{owner}:{'+'.join(scope for scope in SCOPES if scope in scopes)}:sha256.{digest}"


def _read(setting: str) -> tuple[ApiKey, ...]:
    keys: list[ApiKey] = []
    for position, entry in enumerate((part.strip() for part in setting.split(",") if part.strip()), start=1):
        owner, named, hashed = (*entry.split(":"), "", "", "")[:3]
        scopes, digest = frozenset(named.split("+")), _read_hash(hashed)
        is_known = digest in [key.digest for key in keys]
        if not _OWNER.fullmatch(owner) or not scopes <= {*SCOPES} or digest is None or is_known:
            raise ConfigurationError(
                f"GATEWAY_KEYS: entry {position}: expected different NAME:SCOPES:HASH, SCOPES of "
                f"{', '.join(SCOPES)} joined by +, as hospital-producer gateway make-key prints it"
            )
        keys.append(ApiKey(owner, cast(frozenset[Scope], scopes), digest))
    if not keys:
        raise ConfigurationError(
            "GATEWAY_KEYS: no key; the gateway serves nobody without one. Run hospital-producer gateway make-key "
            "NAME --scope read --scope enqueue, then set GATEWAY_KEYS to the entry that it prints"
        )
    return tuple(keys)


def _read_hash(hashed: str) -> bytes | None:
    found = _HASH.fullmatch(hashed)
    return base64.urlsafe_b64decode(f"{found[1]}=") if found else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
