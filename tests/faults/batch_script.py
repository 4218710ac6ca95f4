"""A producer of one batch, which may be killed and run again: `python -m tests.faults.batch_script BATCH SEED`.

The same arguments make the same jobs, with the same keys. Prints a word after each step. `REDIS_URL` says where
Redis is.
"""

import asyncio
import random
import sys

from pydantic import BaseModel

from producers.client import HospitalProducer
from worker.contract import JobSpec

_LONGEST_S = 0.03


class Step(BaseModel):
    """What one job does."""

    rows: int
    seconds: float
    fragile: bool


class Completed(BaseModel):
    """What the completion job does."""

    seconds: float


class Outcome(BaseModel):
    """What both return."""


STEP = JobSpec("step", Step, Outcome)
COMPLETED = JobSpec("completed", Completed, Outcome)


def steps(seed: int) -> list[Step]:
    """Return the jobs of the batch with that seed: up to eight, a fifth of them fragile."""
    rng = random.Random(seed)
    return [
        Step(rows=rng.randrange(100), seconds=rng.uniform(0, _LONGEST_S), fragile=rng.random() < 0.2)
        for _ in range(rng.randrange(9))
    ]


async def produce(batch_id: str, seed: int) -> None:
    """Create, fill and seal the batch."""
    async with HospitalProducer.connect() as producer:
        batch = producer.batch(batch_id)
        await batch.create((COMPLETED, Completed(seconds=random.Random(seed).uniform(0, _LONGEST_S))))
        _say("created")
        for number, payload in enumerate(steps(seed)):
            await batch.add(STEP, [payload], keys=[str(number)])
        _say("added")
        await batch.seal()
        _say("sealed")


def _say(word: str) -> None:
    print(word, flush=True)  # noqa: T201 (read by the test)


if __name__ == "__main__":
    asyncio.run(produce(sys.argv[1], int(sys.argv[2])))
