"""`async with` for what is started and stopped."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class StartedInWith(ABC):
    """Starts when an `async with` begins and stops when it ends, or when the start fails."""

    @abstractmethod
    async def start(self) -> None:
        """Start, and wait until everything answers."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop what runs, also after a start that failed half-way."""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
