"""Ends transactions that a killed worker has left open.

The server would keep them, and the hospitals that they have changed, to itself until they are a minute old or
more (`transactionLifetimeLimitSeconds`). The job that was in one is delivered again long before, and meets it.
"""

from typing import Any

import structlog
from pymongo.errors import PyMongoError

from worker.mongo.client import APP_NAME, Client

_log = structlog.stdlib.get_logger(__name__)

# A living worker does nothing but database calls within a transaction, so it stands still for milliseconds. Should
# one be ended that was only slow, it is run again as after any conflict.
_STANDS_STILL_US = 5_000_000


async def abort_stale_transactions(client: Client) -> None:
    """End the transactions of this service's workers that have stood still for 5 s.

    Both commands need no privilege for what one's own user has open. A server that refuses them is let be: it
    ends such transactions by itself, if later.
    """
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"idleSessions": True}},
        {
            "$match": {
                "type": "idleSession",
                "appName": APP_NAME,
                "transaction.timeInactiveMicros": {"$gt": _STANDS_STILL_US},
            }
        },
    ]
    try:
        # As a command: the first batch is enough, and both drivers answer alike.
        answer = await client.admin.command("aggregate", 1, pipeline=pipeline, cursor={})
        sessions = [{"id": found["lsid"]["id"]} for found in answer["cursor"]["firstBatch"]]
        if sessions:
            await client.admin.command("killSessions", sessions)
    except PyMongoError as error:
        _log.warning("abandoned transactions not ended", action="abandoned_kept", error=type(error).__name__)
        return
    if sessions:
        _log.warning("ended transactions of dead workers", action="abandoned_ended", transactions=len(sessions))
