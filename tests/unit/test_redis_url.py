import pytest

from worker.errors import ConfigurationError
from worker.redis.client import open_pool, read_url
from worker.settings import load_settings

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("decode_responses=true", "decode_responses cannot be set in the URL"),
        # To redis-py any text is true.
        ("decode_responses=false", "decode_responses cannot be set in the URL"),
        ("protocol=3", "protocol must be 2"),
        ("encoding=latin-1", "encoding must be utf-8"),
        ("encoding_errors=ignore", "encoding_errors cannot be set in the URL"),
        ("max_connections=1", "max_connections must be 2 to 10000; or remove it and set REDIS_POOL_SIZE"),
        ("max_connections=-1", "max_connections must be"),
        ("max_connections=0", "max_connections must be"),
        ("socket_timeout=0", "socket_timeout must be a number of seconds above 0"),
        ("socket_timeout=nan", "socket_timeout must be a number of seconds above 0"),
        ("socket_connect_timeout=inf", "socket_connect_timeout must be a number of seconds above 0"),
        ("socket_timeout=1e300", "at most 86,400"),
        ("timeout=-1", "timeout must be a number of seconds above 0"),
        ("single_connection_client=true", "single_connection_client cannot be set in the URL"),
        ("retry=3", "retry cannot be set in the URL"),
        ("retry_on_error=TimeoutError", "retry_on_error cannot be set in the URL"),
        ("parser_class=x", "parser_class cannot be set in the URL"),
        ("socket_read_size=1", "socket_read_size cannot be set in the URL"),
        ("socket_keepalive_options=x", "socket_keepalive_options cannot be set in the URL"),
        ("credential_provider=x", "credential_provider cannot be set in the URL"),
        ("redis_connect_func=x", "redis_connect_func cannot be set in the URL"),
        ("ssl_min_version=TLSv1_2", "ssl_min_version cannot be set in the URL"),
        ("colour=blue", "unknown option after the question mark"),
        ("db=-1", "db must be 0 or more"),
        ("health_check_interval=-1", "health_check_interval must be 0 or more"),
        ("client_name=a%20b", "client_name must be ASCII characters without spaces"),
        ("client_name=a%0Ab", "client_name must be ASCII characters without spaces"),
        ("client_name=%C3%A9", "client_name must be ASCII characters without spaces"),
        ("db=one", "an option after the question mark has a value of a wrong type"),
    ],
)
@pytest.mark.parametrize("server", ["redis://:{}@h/0", "rediss://:{}@h", "redis+sentinel://:{}@one,two/main"])
def test_an_option_that_breaks_the_queue_is_a_configuration_error(server: str, option: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\AREDIS_URL: [^\n]+\Z") as refused:
        open_pool(load_settings(redis_url=f"{server.format(SECRET)}?{option}"))
    assert message in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_port_that_is_not_a_number_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="a value of a wrong type"):
        read_url(load_settings(redis_url="redis://?port=x"))


def test_a_part_of_a_password_is_not_shown_as_an_option() -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_pool(load_settings(redis_url=f"redis://:start?{SECRET}=word@h/0"))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "option",
    [
        *("db=3", "protocol=2", "encoding=utf-8", "encoding=UTF8", "max_connections=2", "socket_timeout=1.5"),
        *("timeout=1", "socket_connect_timeout=1", "socket_keepalive=true", "health_check_interval=30"),
        *("client_name=registry", "lib_name=registry", "retry_on_timeout=true", "username=u&password=p"),
    ],
)
async def test_other_options_of_the_connection_are_accepted(option: str) -> None:
    pool = open_pool(load_settings(redis_url=f"redis://h?{option}"))
    assert pool.make_connection().retry._retries == 0


def test_a_class_of_connections_in_the_url_is_a_configuration_error() -> None:
    # With `rediss` and `unix` the scheme decides, and redis-py ignores the option.
    with pytest.raises(ConfigurationError, match="connection_class cannot be set in the URL"):
        read_url(load_settings(redis_url="redis://h?connection_class=x"))
