"""Chooses loopback ports for private servers."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the ports that Linux (from 32768) and macOS (from 49152) lend to outgoing connections.
# A client that keeps calling a server that is down could otherwise be lent the server's own port.
_LOWEST, _HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections of an earlier run that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port() -> int:
    """A port that is free now. Another process may take it first: be ready to choose again."""
    while True:
        port = random.randint(_LOWEST, _HIGHEST)
        if is_free(port):
            return port
