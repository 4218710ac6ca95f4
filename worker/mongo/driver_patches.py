"""Two corrections of the drivers: which servers support sessions, and whose threads look up host names.

A server that reports a session timeout supports sessions, in any state: this is MongoDB's rule. PyMongo decides
once per connection, at the handshake, and assumes that a member that is neither primary nor secondary does not
support sessions. A member that is stepping down is briefly neither. A connection made at that moment rejects every
transaction without asking the server. Because it then returns to the pool first, it is also handed out first:
after a step-down that was not completed, 450 registrations failed 1,169 times. With this patch the command reaches
the server with its session, and an error of the server is retried as after any change of primary.

The rule is in the driver sessions specification since 2020 (DRIVERS-1230).

PyMongo's asynchronous client looks names up in the event loop's threads, which the jobs may have filled: then no
connection is made, and no server is found, until a job ends. Motor has threads of its own.
"""

from pymongo import pool_shared
from pymongo.asynchronous.pool import AsyncConnection
from pymongo.synchronous.pool import Connection

from worker.own_thread import look_up

AnyConnection = AsyncConnection | Connection


def trust_session_timeouts() -> None:
    """Make all connections of this process, of both drivers, use the timeout alone; one call is enough."""
    for kind in (AsyncConnection, Connection):
        # The driver sets this attribute at the handshake, and reads it before each command.
        kind.supports_sessions = property(_has_session_timeout, _ignore)  # type: ignore[assignment]


def _has_session_timeout(connection: AnyConnection) -> bool:
    # Before the handshake the attribute does not exist.
    return getattr(connection, "logical_session_timeout_minutes", None) is not None


def _ignore(connection: AnyConnection, supported: bool) -> None:
    """Ignore the value that the driver derived from the server's state."""


def look_up_names_apart() -> None:
    """Make PyMongo's asynchronous clients look names up in threads of their own; one call is enough."""
    pool_shared._getaddrinfo = look_up  # type: ignore[attr-defined]
