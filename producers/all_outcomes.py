"""Waits for the outcomes of many jobs at once."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel

from producers.receipts import Receipt
from worker.errors import RegistryError

O_co = TypeVar("O_co", bound=BaseModel, covariant=True)

WaitError = RegistryError | TimeoutError
"""What takes the place of an outcome that a job does not have."""
OnProgress = Callable[[int, int], None]
"""Called with how many jobs have an answer, and with the number of all."""

# Each needs a few kB of memory while it waits.
_MOST_AT_ONCE = 10_000
_PROGRESS_S = 0.25


class AllOutcomes(Generic[O_co]):
    """The outcomes of jobs, for which `progress` waits up to `timeout` seconds in all."""

    def __init__(self, receipts: Sequence[Receipt[O_co]], timeout: float) -> None:
        self._receipts = receipts
        self._timeout = timeout
        self._found: dict[int, O_co | WaitError] = {}

    async def progress(self) -> AsyncGenerator[int, None]:
        """Yield several times a second how many jobs have an answer, at last of all."""
        deadline = time.monotonic() + self._timeout
        numbered = iter(enumerate(self._receipts))
        number = min(len(self._receipts), _MOST_AT_ONCE)
        waiting = {asyncio.create_task(self._wait(numbered, deadline)) for _ in range(number)}
        try:
            while waiting:
                ended, waiting = await asyncio.wait(waiting, timeout=_PROGRESS_S)
                for task in ended:
                    task.result()
                yield len(self._found)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    @property
    def answers(self) -> list[O_co | WaitError]:
        """What was found for each receipt, in order."""
        return [self._found[number] for number in range(len(self._receipts))]

    async def _wait(self, numbered: Iterator[tuple[int, Receipt[O_co]]], deadline: float) -> None:
        for number, receipt in numbered:
            try:
                self._found[number] = await receipt.outcome(max(0.0, deadline - time.monotonic()))
            except (RegistryError, TimeoutError) as error:
                self._found[number] = error
