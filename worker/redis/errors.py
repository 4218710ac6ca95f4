"""What an error of Redis means: the one place where redis-py's errors become the service's.

The original error is never chained and its text never shown: Redis repeats arguments in its messages, AUTH's among
them. What is shown is the class of the error and the code that Redis answered, such as READONLY.
"""

import asyncio
import re
from ssl import SSLCertVerificationError
from typing import Literal

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.errors import ConfigurationError, OutageError, RegistryError, WritesRefused

REDIS_ERRORS = (RedisError, OSError, asyncio.TimeoutError)
"""How a Redis that is down, frozen, full or read-only shows itself to a caller of redis-py."""

_REDIS = "Redis"
# Refusals that end on their own or after an operator acted, and what to know or do.
_TEMPORARY_REFUSALS = {
    "READONLY": "it is a replica; connect to the primary",
    "OOM": "its memory is full; add memory, or retry or discard dead letters",
    "MISCONF": "it cannot save to its disk; see its log",
    "NOREPLICAS": "too few replicas are connected to it; see min-replicas-to-write",
    "BUSY": "a script runs for too long; see SCRIPT KILL",
    "CLUSTERDOWN": "its cluster is down",
    "TRYAGAIN": "its cluster moves keys",
    "LOADING": "it is still loading its data; wait",
    "MASTERDOWN": "it is a replica that has lost its primary; connect to the primary",
}
# What a server answers that is not the primary, or perhaps no longer: a replica, one whose primary is down, one
# that became a replica while a call was blocked, one that loads what it copied from its primary, and a primary that
# lost its replicas (`min-replicas-to-write`), of which one may have taken its place.
_NOT_PRIMARY = frozenset({"READONLY", "MASTERDOWN", "UNBLOCKED", "LOADING", "NOREPLICAS"})
# Refused logins and missing permissions. Redis 6 answers a script with a NOPERM that redis-py does not recognise.
_REFUSED_LOGINS = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})
# A script's answer when it meets a key of another type. Repeating the call changes nothing.
_WRONG_TYPE = frozenset({"WRONGTYPE", "ERR"})

# redis-py removes the code from the text where it has a class for it; from version 6 on for the last three too.
_CODE_OF_CLASS = {
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
    MasterDownError: "MASTERDOWN",  # before its base class
    ClusterDownError: "CLUSTERDOWN",
    TryAgainError: "TRYAGAIN",
}
# Redis 6 wraps what a script ran into: "Error running script (...): @user_script:9: ...: -OOM command not ...".
_CODE = re.compile(r"(?:^|: -?)([A-Z]{3,})(?= )", re.ASCII)
_NO_SUCH_DATABASE = ("DB index is out of range", "SELECT is not allowed in cluster mode")
# Only the command's name, which holds no secret.
_REFUSED_COMMAND = re.compile(r"permissions to run the '([a-z|_-]+)' command", re.ASCII)


class MasterNotFound(RedisConnectionError):  # type: ignore[misc]  # mypy does not follow redis: see pyproject.toml
    """No sentinel named a working master; `unknown` if the sentinels that answered do not know its name."""

    def __init__(self, message: str, *, unknown: bool) -> None:
        super().__init__(message)
        self.unknown = unknown


def is_timeout(error: BaseException) -> bool:
    """Whether no answer came in time."""
    return isinstance(error, RedisTimeoutError | TimeoutError)


def error_code(error: Exception) -> str:
    """Return the code that Redis answered, such as READONLY or OOM; an empty string if there is none."""
    for kind, code in _CODE_OF_CLASS.items():
        if isinstance(error, kind):
            return code
    found = _CODE.search(str(error))
    return found[1] if found else ""


def is_wrong_type(error: Exception) -> bool:
    """Whether a script failed because a key holds another type than the queue's."""
    return error_code(error) in _WRONG_TYPE


def is_not_primary(error: Exception) -> bool:
    """Whether a server answered that it is not the primary, or has no replicas, and so did nothing.

    Another server may be the primary by now.
    """
    return isinstance(error, BusyLoadingError) or error_code(error) in _NOT_PRIMARY


def refusal(answer: object) -> Literal["", "command", "key"]:
    """Return what Redis does not let this user do, if `answer` is such an error: run the command, or use a key.

    A command that was renamed away is refused too.
    """
    if not isinstance(answer, ResponseError):
        return ""
    if isinstance(answer, NoPermissionError) or error_code(answer) == "NOPERM":
        # "... no permissions to access one of the keys" (Redis 6), "No permissions to access a key" (7).
        return "key" if "to access" in str(answer) else "command"
    return "command" if "unknown command" in str(answer).lower() else ""


def refused_certificate(error: Exception) -> str:
    """Return why TLS did not accept the server's certificate; empty if the error has another cause."""
    cause = error.__context__
    return cause.verify_message if isinstance(cause, SSLCertVerificationError) else ""


def translate(error: Exception, address: str) -> RegistryError:
    """Return the service's error for one of `REDIS_ERRORS`.

    `ConfigurationError`: repeating the call does not help until the configuration changes. `WritesRefused`: Redis
    answers but accepts no writes for now. `OutageError`: Redis cannot be reached. `address` says where Redis is,
    without secrets.
    """
    code = error_code(error)
    reason = code or type(error).__name__
    translated: RegistryError
    if isinstance(error, MasterNotFound):
        message = f"REDIS_URL: {error}"
        translated = ConfigurationError(message) if error.unknown else OutageError(message, dependency=_REDIS)
    elif why := refused_certificate(error):
        translated = ConfigurationError(f"REDIS_URL: the certificate of Redis at {address} is not accepted: {why}")
    # Before the connection errors: redis-py's class for a refused login is one of them.
    elif isinstance(error, AuthenticationError | NoPermissionError) or code in _REFUSED_LOGINS:
        if command := _REFUSED_COMMAND.search(str(error)):
            reason = f"{reason}: {command[1]}"
        translated = ConfigurationError(
            f"REDIS_URL: Redis at {address} refused the connection ({reason}); check user, password and database "
            "number, and what the user may do"
        )
    elif any(answer in str(error) for answer in _NO_SUCH_DATABASE):
        translated = ConfigurationError(
            f"REDIS_URL: Redis at {address} has no database of that number (see its setting databases; in cluster "
            "mode there is only 0)"
        )
    elif isinstance(error, ResponseError) and code in _TEMPORARY_REFUSALS:
        translated = WritesRefused(
            f"REDIS_URL: Redis at {address} refuses writes for now ({code}): {_TEMPORARY_REFUSALS[code]}",
            dependency=_REDIS,
        )
    # An answer that cannot be read says as little about the call as none.
    elif isinstance(error, RedisConnectionError | RedisTimeoutError | InvalidResponse | OSError):
        translated = OutageError(
            f"REDIS_URL: Redis at {address} does not answer ({reason}): check host and port, and that it runs",
            dependency=_REDIS,
        )
    else:
        translated = ConfigurationError(f"REDIS_URL: Redis at {address} cannot run the queue's commands ({reason})")
    return translated
