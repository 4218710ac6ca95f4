"""A service that uses one producer in unusual ways: `python -m tests.faults.producer_script WAY`.

Prints the ids of the accepted jobs and of their hospitals as JSON. `REDIS_URL` says where Redis is.
"""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable

from producers.client import HospitalProducer
from tests.faults.load import record
from worker.errors import RegistryError

_accepted: dict[str, str] = {}


async def _put(producer: HospitalProducer, number: int) -> None:
    receipts = await asyncio.gather(*(producer.ingest_hospital(record(number * 1_000 + at)) for at in range(30)))
    _accepted.update({receipt.job_id: f"faults:h{number * 1_000 + at}" for at, receipt in enumerate(receipts)})


async def _enter_and_put(producer: HospitalProducer, number: int) -> None:
    async with producer:
        await _put(producer, number)


def in_two_runs_left_open() -> None:
    """Use it in a second `asyncio.run` without having closed it in the first."""
    producer = HospitalProducer.connect()
    for number in (1, 2):
        asyncio.run(_put(producer, number))


def in_two_runs() -> None:
    """Enter and leave it in each of two `asyncio.run`."""
    producer = HospitalProducer.connect()
    for number in (1, 2):
        asyncio.run(_enter_and_put(producer, number))


def after_a_fork() -> None:
    """Use it before and after a fork, in both processes at once, while the parent's event loop stays open."""
    producer = HospitalProducer.connect()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_put(producer, 1))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _accepted.clear()
        asyncio.run(_put(producer, 2))
        os.write(writing, json.dumps(_accepted).encode())
        os._exit(0)
    os.close(writing)
    loop.run_until_complete(_put(producer, 3))
    assert os.waitpid(child, 0)[1] == 0
    loop.run_until_complete(_put(producer, 4))
    with os.fdopen(reading) as pipe:
        _accepted.update(json.load(pipe))


def in_two_threads() -> None:
    """Use it in another thread while this one's event loop runs: refused with one clear error."""

    async def use() -> None:
        producer = HospitalProducer.connect()
        await _put(producer, 1)
        refused: list[str] = []

        def use_too() -> None:
            try:
                asyncio.run(_put(producer, 2))
            except RegistryError as error:
                refused.append(str(error))

        thread = threading.Thread(target=use_too)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.01)
        assert len(refused) == 1, refused
        assert "one producer for each loop" in refused[0], refused
        await _put(producer, 3)

    asyncio.run(use())


WAYS: dict[str, Callable[[], None]] = {
    way.__name__: way for way in (in_two_runs_left_open, in_two_runs, after_a_fork, in_two_threads)
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
    print(json.dumps(_accepted))  # noqa: T201 (read by the test)
