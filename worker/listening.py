"""The address that a server of this service listens on."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(host: str, port: int) -> str:
    """Return host and port as a URL has them."""
    return f"{f'[{host}]' if ':' in host else host}:{port}"
