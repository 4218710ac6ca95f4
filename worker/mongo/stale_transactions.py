"""Aborts transactions that a killed worker has left open.

The server would keep them open, and block writes to the hospitals that they changed, until they are at least a
minute old (`transactionLifetimeLimitSeconds`). The job of such a transaction is redelivered long before that, and
conflicts with it.
"""

from typing import Any

import structlog
from pymongo.errors import PyMongoError

from worker.mongo.client import APP_NAME, Client

_log = structlog.stdlib.get_logger(__name__)

# A running worker makes only database calls within a transaction, so the transaction is idle for milliseconds at a
# time. If a transaction is aborted that was only slow, it is retried as after any conflict.
_IDLE_LIMIT_US = 5_000_000


async def abort_stale_transactions(client: Client) -> None:
    """Abort transactions of this service's workers that have been idle for more than 5 s.

    Neither command needs a privilege for sessions of the same user. If the server refuses them, log a warning only:
    the server aborts such transactions itself, but later.
    """
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"idleSessions": True}},
        {
            "$match": {
                "type": "idleSession",
                "appName": APP_NAME,
                "transaction.timeInactiveMicros": {"$gt": _IDLE_LIMIT_US},
            }
        },
    ]
    try:
        # A plain command is enough for the first batch, and returns the same with both drivers.
        answer = await client.admin.command("aggregate", 1, pipeline=pipeline, cursor={})
        sessions = [{"id": found["lsid"]["id"]} for found in answer["cursor"]["firstBatch"]]
        if sessions:
            await client.admin.command("killSessions", sessions)
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
