"""The jobs that a worker runs: started, kept leased, interrupted, and released once their completion is stored."""

import asyncio
import time
from collections.abc import Callable, Iterable

from redis import Redis

from worker.engine.completer import ResultTooLarge
from worker.engine.context import EngineContext
from worker.engine.current_job import enter_job
from worker.engine.decision import CRASH_LIMIT, Decision
from worker.engine.events import TryEnded
from worker.engine.executor import Executor
from worker.engine.final_hand_back import FinalHandBack
from worker.engine.lease_renewer import Lease, LeaseRenewer
from worker.engine.process_exit import ProcessExit
from worker.engine.running_job import Interruption, RunningJob
from worker.engine.stuck_loop import StuckLoop
from worker.hidden_task import hidden
from worker.queue.claim import ClaimedJob

# A job whose worker died twice while running it runs alone, if the other jobs end within:
_SOLO_WAIT_S = 5.0


class Slots:
    """Everything between a claim and the stored completion, for all jobs of one worker.

    `tasks` holds the task of each running job by the job's id, which arq's tools look at. `final_hand_back` can
    hand the jobs back from another thread. `connect` opens the connections of other threads.
    """

    def __init__(
        self,
        context: EngineContext,
        executor: Executor,
        connect: "Callable[[], Redis[bytes]]",
        process_exit: ProcessExit | None = None,
    ) -> None:
        self._context = context
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._jobs: dict[bytes, RunningJob] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.final_hand_back = FinalHandBack(connect, self._jobs, context.worker_id, context.events)
        self._stuck_loop = StuckLoop(self._jobs, self.final_hand_back, context.events, process_exit)
        self._leases = LeaseRenewer(connect, context.lease_s, self._lose, context.events, self._stuck_loop.look)

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def failed(self) -> "asyncio.Future[None]":
        """Gets an exception if leases can no longer be renewed."""
        return self._leases.failed

    @property
    def renewal_problem(self) -> str:
        """Why the leases of the jobs are not renewed although Redis answers; empty if they are."""
        return self._leases.problem

    def jobs(self) -> list[RunningJob]:
        """Return the jobs that hold a slot."""
        return list(self._jobs.values())

    def queues(self) -> list[str]:
        """Return the queue of each running job."""
        return [job.claimed.queue for job in self._jobs.values()]

    def longest_run_s(self) -> dict[str, float]:
        """Return for each queue how many seconds the oldest of its running tries has run."""
        now_ms = time.time_ns() // 1_000_000
        started: dict[str, int] = {}
        for job in self._jobs.values():
            if job.attempt is not None:
                queue = job.claimed.queue
                started[queue] = min(started.get(queue, now_ms), job.attempt.started_ms)
        return {queue: (now_ms - started_ms) / 1000 for queue, started_ms in started.items()}

    def get(self, job_id: bytes) -> RunningJob | None:
        """Return the job of that id, if it is running here."""
        return self._jobs.get(job_id)

    async def start(self, claimed: Iterable[ClaimedJob], token: str) -> None:
        """Start claimed jobs; those suspected of killing their worker run alone, before this returns."""
        suspects = []
        for claim in claimed:
            job = RunningJob(claim, token, self._context.breaker.era)
            earlier = self._jobs.get(claim.job_id)
            if earlier is not None:
                earlier.interrupt("lost")
            self._jobs[claim.job_id] = job
            self._leases.hold(Lease(claim.job_id, claim.queue, token))
            if claim.crashes == CRASH_LIMIT - 1 and not self._executor.is_held(job):
                suspects.append(job)
            else:
                self._launch(job)
        if suspects:
            await self._run_alone(*suspects)

    def interrupt_all(self, reason: Interruption) -> None:
        """Interrupt every job that has not ended; those that wait for their turn are released likewise."""
        for job in list(self._jobs.values()):
            job.interrupt(reason)
            if job.task is None:
                self._launch(job)

    async def let_go(self, seconds: float) -> list[RunningJob]:
        """Complete the jobs that do not stop as if they had stopped, and return those that are still leased then.

        Their coroutines may run on, as in a job that has lost its lease. Waits for Redis no longer than `seconds`.
        """
        running = list(self.tasks.values())
        going = [job for job in self._jobs.values() if not job.has_ended]
        stored = [hidden(asyncio.create_task(self._let_go(job))) for job in going]
        if stored:
            await asyncio.wait(stored, timeout=seconds)
        for task in (*stored, *running):
            task.cancel()
        return list(self._jobs.values())

    async def _let_go(self, job: RunningJob) -> None:
        decision = self._executor.let_go(job)
        if decision.completion is None or await self._context.completer.submit(decision.completion):
            self._leases.release(job.claimed.job_id, job.token)
            self._free(job, decision.event)

    def ignoring(self, seconds: float) -> list[RunningJob]:
        """Return the jobs that were cancelled more than so many seconds ago and run on."""
        since = self._loop.time() - seconds
        return [job for job in self._jobs.values() if job.ignores_cancellation(since)]

    async def close(self) -> None:
        """Stop renewing leases."""
        await self._leases.close()
        self._stuck_loop.close()

    def _lose(self, leases: Iterable[Lease]) -> None:
        """Interrupt the jobs that another worker owns by now."""
        for lease in leases:
            job = self._jobs.get(lease.job_id)
            if job is not None and job.token == lease.token:
                job.interrupt("lost")

    def _launch(self, job: RunningJob) -> "asyncio.Task[None]":
        task = hidden(self._loop.create_task(self._run(job)))
        job.launched(task)
        self.tasks[job.name] = task
        return task

    async def _run_alone(self, suspect: RunningJob, *others: RunningJob) -> None:
        """Run one job that may be about to kill this process, while nothing is claimed.

        Every job that is leased when the process dies counts a crash. So the other suspects are handed back first:
        most of them did nothing wrong. The remaining jobs get some time to end.
        """
        for other in others:
            other.interrupt("postponed")
        postponed = [self._launch(other) for other in others]
        stopping = self._context.stopping
        stop = hidden(self._loop.create_task(stopping.wait()))
        try:
            for tasks, seconds in ((postponed, None), (list(self.tasks.values()), _SOLO_WAIT_S)):
                if tasks:
                    ended = hidden(self._loop.create_task(asyncio.wait(tasks, timeout=seconds)))
                    await asyncio.wait([stop, ended], return_when=asyncio.FIRST_COMPLETED)
                    ended.cancel()
            if not stopping.is_set():
                await asyncio.wait([stop, self._launch(suspect)], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    async def _run(self, job: RunningJob) -> None:
        enter_job(job.claimed.job_id, job.token)
        event: TryEnded | None = None
        try:
            decision, job_context = await self._executor.run(job)
            if job.let_go:
                return
            self._note_dependency(decision, job.breaker_era)
            if decision.completion is None:
                event = decision.event
                return
            try:
                # Only an exiting worker interrupts this wait: the executor has declared the job ended.
                was_applied = await self._context.completer.submit(decision.completion)
            except ResultTooLarge as error:
                decision, was_applied = await self._store_without_result(decision, error)
            event = decision.event
            if not was_applied:
                event = event._replace(outcome="lease_lost")
            elif job_context is not None:
                # The job is stored as ended: its lease must not be renewed while the hook runs.
                self._leases.release(job.claimed.job_id, job.token)
                await self._executor.run_after_job_end(job_context, event.function)
        finally:
            self._leases.release(job.claimed.job_id, job.token)
            self._free(job, event)

    async def _store_without_result(self, decision: Decision, error: ResultTooLarge) -> tuple[Decision, bool]:
        """Store that a job's result cannot be stored; returns that decision, and whether it was applied."""
        refused = self._executor.without_result(decision, error)
        if refused.completion is None:
            return refused, False
        return refused, await self._context.completer.submit(refused.completion)

    def _free(self, job: RunningJob, event: TryEnded | None) -> None:
        # Counted in the same step, so that a job never counts both as running and as ended.
        if self._jobs.get(job.claimed.job_id) is job:
            del self._jobs[job.claimed.job_id]
            self.tasks.pop(job.name, None)
        self._context.wake.set()
        if event is not None:
            self._context.events.send(event)

    def _note_dependency(self, decision: Decision, era: int) -> None:
        """Report to the circuit breaker what the job met."""
        breaker, event = self._context.breaker, decision.event
        if decision.trouble is not None:
            breaker.failed(event.function, decision.trouble, era)
        elif event.outcome == "complete":
            breaker.succeeded(event.function, era)
        elif event.outcome != "put_aside":
            breaker.inconclusive(event.function, era)
