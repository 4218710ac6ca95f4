"""Passwords as scrypt hashes, with the standard library alone."""

import base64
import hashlib
import hmac
import re
import secrets

LEAST_LENGTH = 12
"""Characters of a password that is hashed anew."""
LONGEST = 1_000
"""Characters of a password that is looked at."""
# 2^15 blocks of 1 KiB: 32 MiB and about a tenth of a second for each try.
_LOG_N = 15
_BLOCK = 8
_MEMORY = 128 * 1024 * 1024
_FORM = re.compile(r"scrypt\.(1[4-7])\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")


def hash_password(password: str) -> str:
    """Return the hash of a password, which has no character that a shell or a list of users gives a meaning."""
    salt = secrets.token_bytes(16)
    return f"scrypt.{_LOG_N}.{_text(salt)}.{_text(_digest(password, salt, _LOG_N))}"


def is_hash(text: str) -> bool:
    """Whether a text is a hash of this module."""
    return _FORM.fullmatch(text) is not None


def matches(password: str, hashed: str) -> bool:
    """Whether a password is the one of a hash. It takes as long if it is not."""
    found = _FORM.fullmatch(hashed)
    if found is None:
        return False
    log_n, salt, digest = found.groups()
    return hmac.compare_digest(_digest(password, _bytes(salt), int(log_n)), _bytes(digest))


def _digest(password: str, salt: bytes, log_n: int) -> bytes:
    given = password.encode(errors="surrogatepass")
    return hashlib.scrypt(given, salt=salt, n=1 << log_n, r=_BLOCK, p=1, maxmem=_MEMORY * 2, dklen=32)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
