"""The jobs that one worker holds: started, kept leased, interrupted, and let go once their end is stored."""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from arq.worker import Worker

from worker.engine.context import Parts
from worker.engine.executor import CRASH_LIMIT, Executor, run_hook
from worker.engine.lease_renewer import Lease, LeaseRenewer
from worker.engine.results import Ending, EndingKind
from worker.engine.running_job import Interruption, Running
from worker.engine.timeouts import Timeouts
from worker.queue.scripts import Claimed

_log = structlog.stdlib.get_logger(__name__)

# A job that was twice at hand when its worker died is run with nothing beside it, if that can be had within:
_SOLO_WAIT_S = 5.0


class Slots:
    """Everything between a claim and the stored completion, for all jobs of one worker.

    `host` gives arq's settings and keeps arq's counters. `clock_offset_ms` is how far Redis's clock is ahead of
    ours.
    """

    def __init__(self, host: Worker, parts: Parts) -> None:
        self._host = host
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._limits = Timeouts(self._loop)
        self._running: dict[bytes, Running] = {}
        self.leases: LeaseRenewer | None = None
        self.unknown_functions: set[str] = set()
        self.clock_offset_ms = 0.0

    def __len__(self) -> int:
        return len(self._running)

    @property
    def started(self) -> int:
        """How many jobs were ever started, those in hand included."""
        host = self._host
        return host.jobs_complete + host.jobs_retried + host.jobs_failed + len(self._running)

    def queues(self) -> list[str]:
        """Return the queue of each job in hand."""
        return [running.claimed.queue for running in self._running.values()]

    def get(self, job_id: bytes) -> Running | None:
        """Return the job of that id, if it is in hand."""
        return self._running.get(job_id)

    async def start(self, claimed: Iterable[Claimed], token: str) -> None:
        """Start claimed jobs; those suspected of killing their worker are run alone, before this returns."""
        suspects = []
        for job in claimed:
            running = Running(job, token)
            earlier = self._running.get(job.job_id)
            if earlier is not None:
                earlier.interrupt("lost")
            self._running[job.job_id] = running
            if self.leases is not None:
                self.leases.held[job.job_id] = Lease(job.job_id, job.queue, token)
            if job.crashes == CRASH_LIMIT - 1:
                suspects.append(running)
            else:
                self._launch(running)
        if suspects:
            await self._run_alone(*suspects)

    def interrupt_all(self, why: Interruption) -> None:
        """Interrupt every job that has not ended; those that wait for their turn are let go likewise."""
        for running in list(self._running.values()):
            running.interrupt(why)
            if running.task is None:
                self._launch(running)

    def lose(self, leases: Iterable[Lease]) -> None:
        """Interrupt the jobs whose leases belong to somebody else by now."""
        for lease in leases:
            running = self._running.get(lease.job_id)
            if running is not None and running.token == lease.token:
                running.interrupt("lost")

    def _launch(self, running: Running) -> "asyncio.Task[None]":
        running.task = task = self._loop.create_task(self._run(running))
        # arq's own names for the same task, which its tools look at.
        self._host.tasks[running.name] = self._host.job_tasks[running.name] = task
        return task

    async def _run_alone(self, suspect: Running, *others: Running) -> None:
        """Run one job that may be about to kill this process, while nothing is claimed.

        Whatever is leased when the process dies counts a crash. So the other suspects are handed back before, or
        the innocent among them would be taken for killers; the rest get some time to end.
        """
        for other in others:
            other.interrupt("postponed")
        postponed = [self._launch(other) for other in others]
        stopping = self._parts.stopping
        stop = self._loop.create_task(stopping.wait())
        try:
            for tasks, seconds in ((postponed, None), (list(self._host.tasks.values()), _SOLO_WAIT_S)):
                if tasks:
                    ended = self._loop.create_task(asyncio.wait(tasks, timeout=seconds))
                    await asyncio.wait([stop, ended], return_when=asyncio.FIRST_COMPLETED)
                    ended.cancel()
            if not stopping.is_set():
                await asyncio.wait([stop, self._launch(suspect)], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    async def _run(self, running: Running) -> None:
        execution = Executor(self._host, self._parts.worker_id, running, self._limits, self.clock_offset_ms)
        kind: EndingKind = "retried"
        try:
            ending = await execution.run()
            kind = ending.kind
            self._note(ending)
            # Nothing interrupts this wait: `Executor` has declared the job ended.
            if ending.completion is not None and await self._parts.writer.submit(ending.completion):
                self._release_lease(running)
                if self._host.after_job_end is not None and execution.context is not None:
                    context: dict[Any, Any] = execution.context
                    await run_hook("after_job_end", self._host.after_job_end, context)
        finally:
            self._release_lease(running)
            self._let_go(running, kind)

    def _release_lease(self, running: Running) -> None:
        if self.leases is None:
            return
        job_id = running.claimed.job_id
        lease = self.leases.held.get(job_id)
        if lease is not None and lease.token == running.token:
            del self.leases.held[job_id]

    def _let_go(self, running: Running, kind: EndingKind) -> None:
        # Counted in the same step, so that a job is never counted both as started and as ended.
        match kind:
            case "complete":
                self._host.jobs_complete += 1
            case "failed":
                self._host.jobs_failed += 1
            case "retried":
                self._host.jobs_retried += 1
        if self._running.get(running.claimed.job_id) is running:
            del self._running[running.claimed.job_id]
            self._host.tasks.pop(running.name, None)
            self._host.job_tasks.pop(running.name, None)
        self._parts.wake.set()

    def _note(self, ending: Ending) -> None:
        if ending.unknown_function is not None:
            self.unknown_functions.add(ending.unknown_function)
        if ending.met_outage:
            if self._parts.breaker.outage():
                _log.error("the jobs' store is out; claiming stops", action="breaker_open")
        elif ending.kind == "complete":
            if self._parts.breaker.success():
                _log.info("the jobs' store is back", action="breaker_closed")
        else:
            self._parts.breaker.inconclusive()
