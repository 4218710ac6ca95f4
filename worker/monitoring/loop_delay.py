"""By how much the event loop is late: what a job that computes costs all others."""

import asyncio

_LOOK_EVERY_S = 0.1


class LoopDelay:
    """Measures, while `run` runs, how much later than asked for the event loop goes on."""

    def __init__(self) -> None:
        self._most_s = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_EVERY_S
            await asyncio.sleep(_LOOK_EVERY_S)
            self._most_s = max(self._most_s, loop.time() - due)

    def take(self) -> float:
        """Return the most seconds that it was late since the last call."""
        most_s, self._most_s = self._most_s, 0.0
        return most_s
