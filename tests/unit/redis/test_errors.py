import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.errors import ConfigurationError, OutageError, RegistryError, WritesRefused
from worker.redis.errors import (
    MasterNotFound,
    error_code,
    is_not_primary,
    is_wrong_type,
    refusal,
    translate,
)

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
def test_the_code_of_a_redis_error_is_found(error: Exception, code: str) -> None:
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
        # A server without AUTH repeats the arguments of the refused command.
        (
            ResponseError(f"unknown command `AUTH`, with args beginning with: `{SECRET}`, "),
            ConfigurationError,
            "cannot run the queue's commands",
        ),
        (ResponseError("WRONGTYPE Operation against a key"), ConfigurationError, "commands (WRONGTYPE)"),
        (ResponseError("DB index is out of range"), ConfigurationError, "has no database of that number"),
        (
            ResponseError("SELECT is not allowed in cluster mode"),
            ConfigurationError,
            "has no database of that number",
        ),
        (InvalidResponse(f"Protocol Error: {SECRET}"), OutageError, "does not answer (InvalidResponse)"),
    ],
)
def test_each_error_of_redis_is_translated_to_one_class(
    error: Exception, kind: type[RegistryError], part: str
) -> None:
    translated = translate(error, ADDRESS)

    assert type(translated) is kind
    assert str(translated).startswith(f"REDIS_URL: Redis at {ADDRESS} ")
    assert part in str(translated)
    assert SECRET not in str(translated)
    assert "\n" not in str(translated)


def test_an_unknown_master_is_a_configuration_error_and_a_missing_one_an_outage() -> None:
    assert type(translate(MasterNotFound("x", unknown=True), ADDRESS)) is ConfigurationError
    assert type(translate(MasterNotFound("x", unknown=False), ADDRESS)) is OutageError


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("Connection refused"),
        ReadOnlyError("You can't write against a read only replica."),
        MasterNotFound("x", unknown=False),
    ],
)
def test_an_outage_of_redis_is_not_taken_for_one_of_mongodb(error: Exception) -> None:
    """A job that enqueues others may meet it."""
    translated = translate(error, ADDRESS)

    assert isinstance(translated, OutageError)
    assert translated.dependency == "Redis"


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


@pytest.mark.parametrize(
    ("error", "not_primary"),
    [
        (ReadOnlyError("You can't write against a read only replica."), True),
        (ResponseError(SCRIPT_OOM.replace("OOM", "READONLY")), True),
        (ResponseError("MASTERDOWN Link with MASTER is down"), True),
        # The same by redis-py 6 and later.
        (MasterDownError("Link with MASTER is down"), True),
        (ClusterDownError("The cluster is down"), False),
        (ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"), True),
        (BusyLoadingError("Redis is loading the dataset in memory"), True),
        (ResponseError(SCRIPT_OOM), False),
        (ResponseError("WRONGTYPE Operation against a key"), False),
        # It says nothing about the server, and the call may have had its effect.
        (RedisTimeoutError("Timeout reading"), False),
        (RedisConnectionError("Connection refused"), False),
    ],
)
def test_what_only_a_replica_answers_is_recognised(error: Exception, not_primary: bool) -> None:
    assert is_not_primary(error) is not_primary


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        # Redis 6.2, and then 7.
        (NoPermissionError("this user has no permissions to run the 'hset' command or its subcommand"), "command"),
        (NoPermissionError("User keyuser has no permissions to run the 'hset' command"), "command"),
        (NoPermissionError("this user has no permissions to access one of the keys used as arguments"), "key"),
        (NoPermissionError("No permissions to access a key"), "key"),
        (ResponseError("NOPERM No permissions to access a key"), "key"),
        (ResponseError("unknown command `HSET`, with args beginning with: `key`"), "command"),
        (ResponseError("unknown command 'HSET', with args beginning with: 'key'"), "command"),
        (ResponseError("WRONGTYPE Operation against a key"), ""),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), ""),
        (RedisConnectionError("Connection refused"), ""),
        (b"OK", ""),
        (None, ""),
    ],
)
def test_what_a_user_may_not_do_is_recognised(answer: object, refused: str) -> None:
    assert refusal(answer) == refused


@pytest.mark.parametrize("name", ["info", "script|load"])
def test_the_command_that_a_user_may_not_run_is_named(name: str) -> None:
    refused = NoPermissionError(f"this user has no permissions to run the '{name}' command or its subcommand")
    assert f"(NoPermissionError: {name})" in str(translate(refused, ADDRESS))
