"""Chooses loopback ports for private servers."""

import itertools
import os
import secrets
import socket

LOOPBACK = "127.0.0.1"
# Below the ephemeral ports, which Linux (from 32768) and macOS (from 49152) give to outgoing connections. Otherwise
# a client that keeps connecting to a stopped server could itself be given the server's port.
_LOWEST = 20_000
# Concurrent processes use different slices, and each process goes through its slice in turn. Otherwise a server
# that is killed and restarted on its port could find another server there, which was given the port meanwhile.
_SLICES, _WIDTH = 40, 300
_offsets = itertools.count(secrets.randbelow(_WIDTH))


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # The servers set this option too: lingering connections of an earlier run do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port() -> int:
    """A port that is free now. Another process may take it before you use it: be ready to choose again."""
    while True:
        port = _LOWEST + os.getpid() % _SLICES * _WIDTH + next(_offsets) % _WIDTH
        if is_free(port):
            return port
