"""Jobs and threads that do not stop when they are cancelled: with too many of them the worker is replaced."""

from collections import Counter

from worker.engine.context import EngineContext
from worker.engine.current_job import CurrentJob
from worker.engine.events import JobIgnoresCancellation, JobLeftThread, SlotsBlocked, ThreadsBlocked
from worker.engine.job_threads import JobThreads
from worker.engine.process_exit import ProcessExit
from worker.engine.running_job import RunningJob
from worker.engine.slots import Slots

# A job that runs on for so many leases after it was cancelled ignores that; a database command may take as long.
_IGNORED_FOR_LEASES = 3


class WorkerBlocked(RuntimeError):
    """What does not stop fills half of a worker's slots or threads: only a new process has these again."""


class BlockedSlots:
    """Finds the jobs that ignore their cancellation, and the threads that ended jobs have left behind.

    Each is reported once. The worker is stopped, as by a signal, when the jobs fill half of its slots or half of
    what one of its queues may fill, or the threads half of `threads`.
    """

    def __init__(
        self,
        context: EngineContext,
        slots: Slots,
        process_exit: ProcessExit | None,
        threads: JobThreads | None = None,
    ) -> None:
        self._context = context
        self._slots = slots
        self._process_exit = process_exit
        self._threads = threads
        # All slots, and then the queues that may not fill them.
        shares = {queue: limit for queue, limit in context.queues.items() if limit < context.slots}
        self._limits = {"": context.slots} | shares
        self._reported: set[RunningJob] = set()
        self._reported_threads: set[CurrentJob] = set()
        self._stopped_for = ""
        self.ignoring = 0
        """How many jobs ignored their cancellation when `check` last looked."""
        self.why_not_ready = ""
        """What is blocked, as `check` last saw it; empty if nothing is."""

    async def check(self) -> None:
        """Look once at all jobs and threads."""
        found = self._look_at_slots() or self._look_at_threads()
        self.why_not_ready = "" if found is None else _in_words(found)
        if found is None or self._context.stopping.is_set():
            return
        self._stopped_for = self.why_not_ready
        self._context.events.send(found)
        if self._process_exit is not None:
            self._process_exit.stopping(code=1)
        self._context.stopping.set()
        self._context.wake.set()

    def raise_if_blocked(self) -> None:
        """Raise `WorkerBlocked` if this has stopped the worker."""
        if self._stopped_for:
            raise WorkerBlocked(self._stopped_for)

    def _look_at_slots(self) -> SlotsBlocked | None:
        ignoring = set(self._slots.ignoring(_IGNORED_FOR_LEASES * self._context.lease_s))
        for job in ignoring - self._reported:
            self._context.events.send(JobIgnoresCancellation(job.name, str(job.interrupted_by), job.function))
        self._reported = ignoring
        self.ignoring = len(ignoring)
        numbers = Counter(job.claimed.queue for job in ignoring)
        numbers[""] = len(ignoring)
        for queue, limit in self._limits.items():
            if 2 * numbers[queue] >= limit:
                return SlotsBlocked(numbers[queue], limit, queue)
        return None

    def _look_at_threads(self) -> ThreadsBlocked | None:
        if self._threads is None:
            return None
        running = {CurrentJob(job.claimed.job_id, job.token) for job in self._slots.jobs()}
        left = self._threads.left_behind(running, _IGNORED_FOR_LEASES * self._context.lease_s)
        for job in set(left) - self._reported_threads:
            self._context.events.send(JobLeftThread(job.job_id.decode(errors="backslashreplace")))
        self._reported_threads = set(left)
        return ThreadsBlocked(len(left), self._threads.size) if 2 * len(left) >= self._threads.size else None


def _in_words(found: SlotsBlocked | ThreadsBlocked) -> str:
    if isinstance(found, ThreadsBlocked):
        return f"{found.left} of {found.threads} threads are held by jobs that have ended"
    of_queue = f" of {found.queue}" if found.queue else ""
    return f"{found.jobs} of {found.slots} slots{of_queue} hold jobs that ignore cancellation"
