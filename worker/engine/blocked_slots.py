"""Jobs that ignore their cancellation: counted, reported, and with too many of them the worker is replaced."""

from worker.engine.context import EngineContext
from worker.engine.events import SlotsBlocked
from worker.engine.process_exit import ProcessExit
from worker.engine.slots import Slots


class WorkerBlocked(RuntimeError):
    """Jobs that ignore cancellation fill half of a worker's slots: only a new process has these slots again."""


class BlockedSlots:
    """Stops the worker, as a signal would, when jobs that ignore cancellation fill half of its slots."""

    def __init__(self, context: EngineContext, slots: Slots, process_exit: ProcessExit | None) -> None:
        self._context = context
        self._slots = slots
        self._process_exit = process_exit
        self._blocked = ""

    async def check(self) -> None:
        """Look once at all jobs."""
        self._slots.look_for_ignored()
        context = self._context
        if context.is_blocked(self._slots.ignoring) and not context.stopping.is_set():
            self._blocked = context.why_not_ready(self._slots.ignoring)
            context.events.send(SlotsBlocked(self._slots.ignoring, context.slots))
            if self._process_exit is not None:
                self._process_exit.stopping(code=1)
            context.stopping.set()
            context.wake.set()

    def raise_if_blocked(self) -> None:
        """Raise `WorkerBlocked` if this has stopped the worker."""
        if self._blocked:
            raise WorkerBlocked(self._blocked)
