"""Which commands your own code sends to MongoDB, in which session and in which transaction."""

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self
from unittest import mock

from pymongo import monitoring
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession

WRITES = ("insert", "update", "delete", "findAndModify")
"""The commands that write documents."""


@dataclass(frozen=True, slots=True)
class LoggedCommand:
    """One command as it was sent, with the name of its database.

    `session` identifies the session that the caller has started with `start_session`. It is `None` for a call
    without one, although the driver then sends an identifier of its own. `transaction` is the number of the
    session's transaction, `None` outside of one.
    """

    name: str
    database: str
    command: Mapping[str, Any]
    session: bytes | None
    transaction: int | None

    @property
    def collection(self) -> str:
        """The collection's name, empty for a command that has none."""
        named = self.command.get(self.name)
        return named if isinstance(named, str) else ""

    @property
    def is_write(self) -> bool:
        """Whether it writes documents."""
        return self.name in WRITES

    def __str__(self) -> str:
        where = "no session" if self.session is None else f"session {self.session.hex()[:8]}"
        what = f"{self.name} {self.collection}".rstrip()
        return f"{what} ({where}{'' if self.transaction is None else f', transaction {self.transaction}'})"


class CommandLog(monitoring.CommandListener):
    """Keeps the commands of each client that was made with `event_listeners=[log]`, of any driver.

    Use it with `with`: only within the block it can tell sessions that the caller has started from those that the
    driver lends to each call without one.
    """

    def __init__(self) -> None:
        self.commands: list[LoggedCommand] = []
        self._sessions: list[weakref.ref[Any]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for kind in (ClientSession, AsyncClientSession):
            self._stack.enter_context(mock.patch.object(kind, "__init__", self._noting(kind.__init__)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def clear(self) -> None:
        """Forget the commands so far."""
        self.commands.clear()

    def writes(self, *collections: str) -> list[LoggedCommand]:
        """Return the writes, in order; with names, those to these collections."""
        return [it for it in self.commands if it.is_write and (not collections or it.collection in collections)]

    def assert_one_transaction(self, *collections: str) -> None:
        """Check that each of these collections was written, and all these writes were in one transaction."""
        writes = self._written(collections)
        if None in {it.transaction for it in writes} or len({(it.session, it.transaction) for it in writes}) != 1:
            raise AssertionError(f"not one transaction: {_shown(writes)}")

    def assert_one_session(self, *collections: str) -> None:
        """Check that each of these collections was written, and all these writes were in one session."""
        writes = self._written(collections)
        sessions = {it.session for it in writes}
        if None in sessions or len(sessions) != 1:
            raise AssertionError(f"not one session: {_shown(writes)}")

    def assert_no_session(self, *collections: str) -> None:
        """Check that each of these collections was written, and none of these writes was in a session."""
        writes = self._written(collections)
        if any(it.session is not None for it in writes):
            raise AssertionError(f"a session was used: {_shown(writes)}")

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep a command; called by the driver."""
        command = dict(event.command)
        lsid, number = command.get("lsid"), command.get("txnNumber")
        self.commands.append(
            LoggedCommand(
                event.command_name,
                event.database_name,
                command,
                self._started_session(lsid),
                int(number) if number is not None and command.get("autocommit") is False else None,
            )
        )

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Keep nothing of an answer."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Keep nothing of an answer."""

    def _written(self, collections: Sequence[str]) -> list[LoggedCommand]:
        writes = self.writes(*collections)
        missing = sorted(set(collections) - {it.collection for it in writes})
        if missing or not writes:
            raise AssertionError(
                f"nothing was written to {', '.join(missing) or 'any collection'}: {_shown(writes)}"
            )
        return writes

    def _noting(self, original: Callable[..., None]) -> Callable[..., None]:
        """Return a constructor of sessions that notes those which a caller has started.

        No command shows the difference: a call without a session sends one as well, from a pool to which the
        sessions of callers return when they end. The drivers offer no other place to learn of it.
        """

        @functools.wraps(original)
        def init(session: Any, client: Any, server_session: Any, options: Any, implicit: bool) -> None:
            original(session, client, server_session, options, implicit)
            if not implicit:
                self._sessions.append(weakref.ref(session))

        return init

    def _started_session(self, lsid: Mapping[str, Any] | None) -> bytes | None:
        if lsid is None:
            return None
        for reference in self._sessions:
            session = reference()
            # Not `session.session_id`, which would give an identifier to a session that has none yet.
            server_session = session._server_session if session is not None else None
            if getattr(server_session, "session_id", None) == lsid:
                return bytes(lsid["id"])
        return None


def _shown(commands: Sequence[LoggedCommand]) -> str:
    return "; ".join(map(str, commands)) or "no writes"
