"""Redis connections that pack commands in C and report a closed transport as a lost connection.

redis-py uses hiredis for packing only in its synchronous connections. A call that stores 200 completions has 1,800
arguments: packing them took 0.9 ms in Python and 0.14 ms in C.
"""

import errno
from typing import Any

import hiredis
from redis.asyncio.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)


class _Packing(AbstractConnection):  # type: ignore[misc]  # mypy does not follow redis: see pyproject.toml
    def pack_command(self, *args: Any) -> list[bytes]:
        # A command's name may be several words, such as CLIENT SETINFO.
        words = args[0].encode().split() if isinstance(args[0], str) else [args[0]]
        return [hiredis.pack_command((*words, *args[1:]))]

    async def _send_packed_command(self, command: Any) -> None:
        try:
            await super()._send_packed_command(command)
        except RuntimeError as error:
            # uvloop raises this for a closed transport. redis-py expects asyncio's OSError; a RuntimeError would
            # look like a defect and end the worker.
            raise ConnectionResetError(errno.ECONNRESET, "the connection was closed") from error


class PackingConnection(_Packing, Connection):  # type: ignore[misc]  # as above
    """Over TCP."""


class PackingSSLConnection(_Packing, SSLConnection):  # type: ignore[misc]  # as above
    """Over TLS."""


class PackingUnixConnection(_Packing, UnixDomainSocketConnection):  # type: ignore[misc]  # as above
    """Over a Unix socket."""


_PACKING = {
    Connection: PackingConnection,
    SSLConnection: PackingSSLConnection,
    UnixDomainSocketConnection: PackingUnixConnection,
}


def pack_in_c(pool: BlockingConnectionPool) -> BlockingConnectionPool:
    """Make `pool` open connections that pack their commands in C; returns the pool."""
    pool.connection_class = _PACKING[pool.connection_class]
    return pool
