"""Enqueues jobs of `tests.faults.settings.faulty`, each for its own hospital, and records them in the ledger."""

import itertools
from typing import Any

from tests.faults.load import record
from tests.faults.stand import Stand
from worker.contract import DEFAULT_QUEUE

FAULTY = "tests.faults.settings.faulty.WorkerSettings"

# Far above the numbers that a load uses.
_numbers = itertools.count(1_000_000_000)


async def put_faulty(
    stand: Stand, function: str, *arguments: Any, count: int = 1, queue: str = DEFAULT_QUEUE
) -> list[str]:
    """Put `count` jobs on a queue and return their ids; `arguments` follow the job's payload."""
    job_ids = []
    for number in itertools.islice(_numbers, count):
        job_id = f"{function}:{number}"
        payload = {"record": record(number).model_dump(mode="json"), "actor": "faults", "reason": "the suite"}
        await stand.put(function, payload, *arguments, job_id=job_id, queue=queue)
        stand.ledger.accept("register", job_id, f"faults:h{number}")
        job_ids.append(job_id)
    return job_ids


async def count_runs(stand: Stand) -> int:
    """Return how many runs of waiting or blocking jobs have begun."""
    return int(await stand.redis.get("runs") or 0)


async def wait_for_runs(stand: Stand, times: int) -> None:
    """Wait until that many runs have begun."""

    async def reached() -> bool:
        return await count_runs(stand) >= times

    await stand.until(reached, 40)


async def open_gate(stand: Stand) -> None:
    """Let the waiting jobs continue."""
    await stand.redis.set("gate", 1)
