"""Chooses loopback ports for private servers."""

import itertools
import os
import secrets
import socket

LOOPBACK = "127.0.0.1"
# Below the ports that Linux (from 32768) and macOS (from 49152) lend to outgoing connections.
# A client that keeps calling a server that is down could otherwise be lent the server's own port.
_LOWEST = 20_000
# Processes beside each other take from different slices, and each goes through its own in turn: a server that is
# killed and started again on its port must not find another there, whose clients would be lent it meanwhile.
_SLICES, _WIDTH = 40, 300
_turns = itertools.count(secrets.randbelow(_WIDTH))


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
        port = _LOWEST + os.getpid() % _SLICES * _WIDTH + next(_turns) % _WIDTH
        if is_free(port):
            return port
