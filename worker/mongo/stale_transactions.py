"""Aborts transactions that a killed worker has left open.

The server would keep them open, and block writes to the hospitals that they changed, until they are at least a
minute old (`transactionLifetimeLimitSeconds`). The job of such a transaction is redelivered long before that, and
conflicts with it.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from pymongo.errors import PyMongoError

from worker.hidden_task import hidden

if TYPE_CHECKING:
    from worker.mongo.client import Client

_log = structlog.stdlib.get_logger(__name__)

# A running worker makes only database calls within a transaction, so the transaction is idle for milliseconds at a
# time. If a transaction is aborted that was only slow, it is retried as after any conflict.
_IDLE_LIMIT_US = 5_000_000


class StaleTransactions:
    """The transactions that dead workers have left open on the server of `client`.

    `app_name` is the name by which the server knows the connections of this service's workers.
    """

    def __init__(self, client: "Client", app_name: str) -> None:
        self._client = client
        self._app_name = app_name
        self._running: asyncio.Task[None] | None = None

    async def abort(self) -> None:
        """Abort transactions of this service's workers that have been idle for more than 5 s.

        Neither command needs a privilege for sessions of the same user. If the server refuses them, log a warning
        only: the server aborts such transactions itself, but later.

        Callers share the look that is on its way. Many jobs conflict with a dead worker's transactions at the same
        moment, and each answer lists all of these.
        """
        if self._running is None:
            # All these jobs wait for it, so none of them may find and cancel it.
            self._running = hidden(asyncio.create_task(self._look_and_abort(), name="stale-transactions"))
            self._running.add_done_callback(self._forget)
        # A job that is cancelled leaves the look to the others.
        await asyncio.shield(self._running)

    def _forget(self, _task: "asyncio.Task[None]") -> None:
        self._running = None

    async def _look_and_abort(self) -> None:
        pipeline: list[dict[str, Any]] = [
            {"$currentOp": {"idleSessions": True}},
            {
                "$match": {
                    "type": "idleSession",
                    "appName": self._app_name,
                    "transaction.timeInactiveMicros": {"$gt": _IDLE_LIMIT_US},
                }
            },
            {"$project": {"lsid.id": 1}},
        ]
        try:
            # A plain command is enough for the first batch, and returns the same with both drivers.
            answer = await self._client.admin.command("aggregate", 1, pipeline=pipeline, cursor={})
            sessions = [{"id": found["lsid"]["id"]} for found in answer["cursor"]["firstBatch"]]
            if sessions:
                await self._client.admin.command("killSessions", sessions)
        except PyMongoError as error:
            _log.warning(
                "could not abort stale transactions",
                action="stale_transactions_not_aborted",
                error=type(error).__name__,
            )
            return
        if sessions:
            _log.warning(
                "aborted stale transactions of dead workers",
                action="stale_transactions_aborted",
                transactions=len(sessions),
            )
