"""Corrections of the drivers: which servers support sessions, whose threads look up host names, what errors keep.

A server that reports a session timeout supports sessions, in any state: this is MongoDB's rule. PyMongo decides
once per connection, at the handshake, and assumes that a member that is neither primary nor secondary does not
support sessions. A member that is stepping down is briefly neither. A connection made at that moment rejects every
transaction without asking the server. Because it then returns to the pool first, it is also handed out first:
after a step-down that was not completed, 450 registrations failed 1,169 times. With this patch the command reaches
the server with its session, and an error of the server is retried as after any change of primary.

The rule is in the driver sessions specification since 2020 (DRIVERS-1230).

PyMongo's asynchronous client looks names up in the event loop's threads, which the jobs may have filled: then no
connection is made, and no server is found, until a job ends. Motor has threads of its own.

A command that is retried keeps the error of its first try, whose traceback refers to the command: a cycle of 250
objects, with a connection and its buffers, that stays until the garbage collector finds it. When a primary fails
under hundreds of jobs, all of them stay at once. With this patch such a command leaves nothing behind.
"""

from typing import Any

from pymongo import pool_shared
from pymongo.asynchronous.mongo_client import _ClientConnectionRetryable as AsyncCommand
from pymongo.asynchronous.pool import AsyncConnection
from pymongo.synchronous.mongo_client import _ClientConnectionRetryable as Command
from pymongo.synchronous.pool import Connection

from worker.mongo.errors import free_tracebacks
from worker.own_thread import look_up

AnyConnection = AsyncConnection | Connection

_run, _run_async = Command.run, AsyncCommand.run


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


def forget_first_tries() -> None:
    """Make all commands of this process, of both drivers, free the error of their first try; one call is enough."""
    Command.run = _run_and_forget  # type: ignore[method-assign, assignment]
    AsyncCommand.run = _run_async_and_forget  # type: ignore[method-assign, assignment]


def _run_and_forget(command: "Command[Any]") -> Any:
    try:
        return _run(command)
    finally:
        _forget_first_try(command)


async def _run_async_and_forget(command: "AsyncCommand[Any]") -> Any:
    try:
        return await _run_async(command)
    finally:
        _forget_first_try(command)


def _forget_first_try(command: "Command[Any] | AsyncCommand[Any]") -> None:
    if command._last_error is not None:
        # What leaves the command has its own traceback, which grows further on.
        free_tracebacks(command._last_error)
        command._last_error = None
