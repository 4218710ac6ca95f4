"""What redis-py's own parser of `REDIS_URL` lacks: the form that names sentinels, and a check of the options."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from worker.errors import ConfigurationError

_SENTINEL_URL = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?:(?P<login>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)"
    # Sentinel itself accepts no other characters in a master's name.
    r"/(?P<master>[A-Za-z0-9._-]+)(?:/(?P<database>[0-9]*))?(?:\?(?P<query>[^#]*))?"
)
_SENTINEL = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:,\s]+)(?::(?P<port>[0-9]{1,5}))?")
_SENTINEL_PORT = 26_379
# The parts of a URL, and the options that concern only how to connect.
_HARMLESS = frozenset(
    {
        *("username", "password", "host", "port", "path"),
        *("lib_name", "lib_version", "socket_keepalive"),
        *("ssl_keyfile", "ssl_certfile", "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_data", "ssl_check_hostname"),
        *("ssl_ciphers", "retry_on_timeout"),
    }
)
# The operating system takes no timeout of any length.
_LONGEST_TIMEOUT_S = 86_400
# With one connection, a caller that waits for a job would keep all others waiting.
_LEAST_CONNECTIONS, _MOST_CONNECTIONS = 2, 10_000
# What Redis accepts as the name of a connection.
_CLIENT_NAME = re.compile(r"[!-~]*")

_Rule = tuple[Callable[[Any], object], str]
_TIMEOUT: _Rule = (
    lambda value: 0 < value <= _LONGEST_TIMEOUT_S,
    f"must be a number of seconds above 0, and at most {_LONGEST_TIMEOUT_S:,}",
)
_NOT_NEGATIVE: _Rule = (lambda value: value >= 0, "must be 0 or more")
# Which values an option may have, and what to say of another one.
_RULES: dict[str, _Rule] = {
    "socket_timeout": _TIMEOUT,
    "socket_connect_timeout": _TIMEOUT,
    "timeout": _TIMEOUT,
    "max_connections": (
        lambda value: _LEAST_CONNECTIONS <= value <= _MOST_CONNECTIONS,
        f"must be {_LEAST_CONNECTIONS} to {_MOST_CONNECTIONS}; or remove it and set REDIS_POOL_SIZE",
    ),
    "db": _NOT_NEGATIVE,
    "health_check_interval": _NOT_NEGATIVE,
    "client_name": (_CLIENT_NAME.fullmatch, "must be ASCII characters without spaces"),
    # What the queue depends on: all keys are bytes, all names UTF-8, all answers those of the second protocol.
    "protocol": (lambda value: value == "2", "must be 2, which the queue depends on; remove the option"),
    "encoding": (
        lambda value: value.lower() in ("utf-8", "utf8"),
        "must be utf-8, which the queue depends on; remove the option",
    ),
}
# redis-py would take these from a URL, as text, and fail with it at the first command.
_FOR_CODE_ONLY = frozenset(
    {
        *("decode_responses", "encoding_errors", "encoder_class", "parser_class", "socket_read_size"),
        *("socket_keepalive_options", "retry", "retry_on_error", "redis_connect_func", "credential_provider"),
        *("socket_type", "event_dispatcher", "queue_class", "ssl_min_version", "single_connection_client"),
        "connection_class",
    }
)
_SENTINEL_LOGIN = {"sentinel_username": "username", "sentinel_password": "password"}


@dataclass(frozen=True, repr=False)
class SentinelUrl:
    """The parts of a `redis+sentinel://` or `rediss+sentinel://` URL.

    `login` (`username`, `password`) is for the sentinels. `plain` is the URL without the sentinels and with a
    placeholder host, for a parser that supports one server only; it has the login of the master and its replicas.
    """

    sentinels: tuple[tuple[str, int], ...]
    master: str
    login: dict[str, str]
    plain: str

    @property
    def tls(self) -> bool:
        """Whether connections to the sentinels and to the servers use TLS."""
        return self.plain.startswith("rediss:")


def split_sentinel_url(url: str) -> SentinelUrl | None:
    """Split a URL that names sentinels; return None for any other. Raises `ValueError`, without the URL."""
    if not url.startswith(("redis+sentinel:", "rediss+sentinel:")):
        return None
    parts = _SENTINEL_URL.fullmatch(url)
    hosts = [_SENTINEL.fullmatch(host) for host in parts["hosts"].split(",")] if parts else []
    sentinels = [(host["host"].strip("[]"), int(host["port"] or _SENTINEL_PORT)) for host in hosts if host]
    if parts is None or len(sentinels) < len(hosts) or not all(0 < port < 65_536 for _, port in sentinels):
        raise ValueError(
            "expected redis+sentinel://[user:password@]host[:port],host[:port].../master-name[/database]; "
            "write /, @, :, ? and # in a password as %2F, %40, %3A, %3F, %23"
        )
    login, options = {}, []
    for option in filter(None, (parts["query"] or "").split("&")):
        name, _, value = option.partition("=")
        if name in _SENTINEL_LOGIN:
            login[_SENTINEL_LOGIN[name]] = unquote(value)
        else:
            options.append(option)
    user = f"{parts['login']}@" if parts["login"] else ""
    plain = f"{parts['scheme']}://{user}master/{parts['database'] or 0}?{'&'.join(options)}"
    return SentinelUrl(tuple(sentinels), parts["master"], login, plain)


def refuse_options(parts: Mapping[str, Any]) -> None:
    """Check the options of a URL, as redis-py has parsed them.

    Raises `ConfigurationError` for one that the queue cannot work with. The message has no value, nor a name that
    is unknown: either may be part of a password with a question mark.
    """
    for name, value in parts.items():
        # redis-py's parser gives the class for the scheme; in a URL it is a text.
        if name in _HARMLESS or (name == "connection_class" and not isinstance(value, str)):
            continue
        if name in _RULES:
            is_accepted, demand = _RULES[name]
            if not is_accepted(value):
                raise ConfigurationError(f"REDIS_URL: {name} {demand}")
        elif name in _FOR_CODE_ONLY:
            raise ConfigurationError(f"REDIS_URL: {name} cannot be set in the URL; remove the option")
        else:
            raise ConfigurationError("REDIS_URL: unknown option after the question mark")
