import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.errors import ConfigurationError, OutageError, RegistryError, WritesRefused
from worker.redis.errors import MasterNotFound, error_code, is_wrong_type, translate

SECRET = "p@ss/w"
ADDRESS = "redis.example:6400"
SCRIPT_OOM = (
    "Error running script (call to f_0123): @user_script:9: @user_script: 9: "
    "-OOM command not allowed when used memory > 'maxmemory'. "
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "OOM"),
        (ReadOnlyError("You can't write against a read only replica."), "READONLY"),
        (ResponseError("MISCONF Redis is configured to save"), "MISCONF"),
        (
            ResponseError(SCRIPT_OOM),
            "OOM",
        ),
        (ResponseError("WRONGTYPE Operation against a key"), "WRONGTYPE"),
        (ResponseError("value is not an integer"), ""),
        (RedisConnectionError("Connection refused"), ""),
        (OSError(), ""),
    ],
)
def test_the_code_of_an_answer_is_found(error: Exception, code: str) -> None:
    assert error_code(error) == code


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (RedisConnectionError("Connection refused"), OutageError, "does not answer (ConnectionError)"),
        (RedisTimeoutError("Timeout reading"), OutageError, "does not answer (TimeoutError)"),
        (BusyLoadingError("Redis is loading the dataset in memory"), OutageError, "does not answer"),
        (TimeoutError(), OutageError, "does not answer"),
        (ConnectionResetError(), OutageError, "does not answer"),
        (ReadOnlyError("You can't write against a read only replica."), WritesRefused, "(READONLY)"),
        (OutOfMemoryError("command not allowed"), WritesRefused, "(OOM)"),
        (ResponseError(SCRIPT_OOM), WritesRefused, "(OOM)"),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), WritesRefused, "(MISCONF)"),
        (ResponseError("NOREPLICAS Not enough good replicas"), WritesRefused, "(NOREPLICAS)"),
        (AuthenticationError(f"invalid password {SECRET}"), ConfigurationError, "refused the connection"),
        (NoPermissionError(f"no permissions {SECRET}"), ConfigurationError, "refused the connection"),
        (
            ResponseError("NOPERM this user has no permissions"),
            ConfigurationError,
            "refused the connection (NOPERM)",
        ),
        # A server that knows no AUTH repeats what it was given.
        (
            ResponseError(f"unknown command `AUTH`, with args beginning with: `{SECRET}`, "),
            ConfigurationError,
            "cannot run the queue's commands",
        ),
        (ResponseError("WRONGTYPE Operation against a key"), ConfigurationError, "commands (WRONGTYPE)"),
        (InvalidResponse(f"Protocol Error: {SECRET}"), ConfigurationError, "commands (InvalidResponse)"),
    ],
)
def test_each_error_has_one_meaning(error: Exception, kind: type[RegistryError], part: str) -> None:
    translated = translate(error, ADDRESS)

    assert type(translated) is kind
    assert str(translated).startswith(f"REDIS_URL: Redis at {ADDRESS} ")
    assert part in str(translated)
    assert SECRET not in str(translated)
    assert "\n" not in str(translated)


def test_an_unknown_master_is_a_matter_of_configuration_and_a_missing_one_is_not() -> None:
    assert type(translate(MasterNotFound("x", unknown=True), ADDRESS)) is ConfigurationError
    assert type(translate(MasterNotFound("x", unknown=False), ADDRESS)) is OutageError


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (ResponseError("WRONGTYPE Operation against a key"), True),
        (ResponseError("ERR Error running script: @user_script:9: WRONGTYPE Operation"), True),
        (ReadOnlyError("You can't write against a read only replica."), False),
        (RedisConnectionError("Connection refused"), False),
    ],
)
def test_a_key_of_another_type_is_recognised(error: Exception, wrong: bool) -> None:
    assert is_wrong_type(error) is wrong
