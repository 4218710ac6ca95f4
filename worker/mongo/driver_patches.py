"""Holds the driver to MongoDB's rule: a server that names a session time-out supports sessions, whatever its state.

PyMongo decides for each connection once, at its handshake, and takes a member that is neither primary nor
secondary for one that cannot. A member that is stepping down is neither for a moment. A connection made then
refuses every transaction without asking the server, and as it is back in the pool first, it is given out first:
after a step-down that came to nothing, 450 registrations failed 1,169 times. With its session the command reaches
the server, whose answer is repeated like that of any change of primary.

The rule is that of the driver sessions specification since 2020 (DRIVERS-1230).
"""

from pymongo.asynchronous.pool import AsyncConnection
from pymongo.synchronous.pool import Connection

AnyConnection = AsyncConnection | Connection


def trust_session_timeouts() -> None:
    """Make all connections of this process, of both drivers, judge by the time-out alone; once is enough."""
    for kind in (AsyncConnection, Connection):
        # The attribute is set by the driver at the handshake, and read before each command.
        kind.supports_sessions = property(_names_time_out, _ignore)  # type: ignore[assignment]


def _names_time_out(connection: AnyConnection) -> bool:
    # Before the handshake there is none.
    return getattr(connection, "logical_session_timeout_minutes", None) is not None


def _ignore(connection: AnyConnection, supported: bool) -> None:
    """Drop what the driver concluded from the server's state."""
