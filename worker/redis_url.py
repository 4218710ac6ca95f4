"""Parses the form of `REDIS_URL` that names sentinels; redis-py does not support it."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

_SENTINEL_URL = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?:(?P<login>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)"
    # Sentinel itself accepts no other characters in a master's name.
    r"/(?P<master>[A-Za-z0-9._-]+)(?:/(?P<database>[0-9]*))?(?:\?(?P<query>[^#]*))?"
)
_SENTINEL = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:,\s]+)(?::(?P<port>[0-9]{1,5}))?")
_SENTINEL_PORT = 26_379
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
