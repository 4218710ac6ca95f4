"""The workers of a soak: one that must survive, some that faults may hit, and some that end by themselves."""

import asyncio
import signal
import time
from contextlib import suppress

from tests.acceptance.conftest import WorkerRun
from tests.faults.injectors.moving_name import direct
from tests.faults.stand import Stand, logged_jobs
from worker.codec import Codec
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE
from worker.engine.decision import CRASH_LIMIT
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter
from worker.queue.heartbeats import ready_workers
from worker.queue.scripts import Enqueue, Scripts
from worker.redis.errors import REDIS_ERRORS

GRACE_S = 5
_GONE_WITHIN_S = 5.0  # after the grace period
_FROZEN_S = 12.0  # longer than a lease
# Jobs that never give the event loop back have a queue of their own, so that only workers that may end take them.
# Those workers serve the other queues too: their other jobs must not suffer.
_SPIN_QUEUE = DEFAULT_QUEUE + ":spinning"
_SPIN_SETTINGS = "tests.faults.settings.stuck.WorkerSettings"
_SPIN_ENVIRONMENT = {
    "WORKER_QUEUES": f"{DEFAULT_QUEUE},{BULK_QUEUE},{_SPIN_QUEUE}=1",
    "WORKER_JOB_TIMEOUT": "5",
}
_SPIN_ENDS_WITHIN_S = 120


class Fleet:
    """Starts, kills, stops and freezes workers. `spared` must survive; the `others` are replaced.

    `spinning` has the ids of the jobs that never end, each of which becomes a dead letter. `lost` has the process
    ids of the workers that may have lost a lease.
    """

    def __init__(self, stand: Stand, spared: WorkerRun, others: list[WorkerRun]) -> None:
        self._stand = stand
        self.spared = spared
        self.others = others
        self.spinning: list[str] = []
        self.stuck = 0
        self.lost: set[int] = set()
        self.longest_stop_s = 0.0
        self._frozen: set[WorkerRun] = set()

    async def check(self) -> None:
        """Raise `AssertionError` if a worker ended that nothing has hit; replace those that could not start."""
        assert self.spared.process.returncode is None, self.spared.log[-2000:]
        for position, worker in enumerate(self.others):
            if worker.process.returncode is not None:
                # A worker that starts while a store is unavailable logs it and ends; a running worker must not end.
                assert _could_not_start(worker), worker.log[-2000:]
                await self._replace(position)

    async def all_are_ready(self) -> bool:
        """Whether the spared worker and all others are ready; replaces those that could not start."""
        await self.check()
        ready = {worker.pid for worker in await ready_workers(self._stand.redis)}
        return ready >= {worker.pid for worker in (self.spared, *self.others)}

    async def kill_a_worker(self) -> None:
        """SIGKILL a worker, and start another one."""
        position = self._any()
        self._send(self.others[position], signal.SIGKILL)
        await self.others[position].ended()
        await self._replace(position)

    async def stop_a_worker(self) -> None:
        """SIGTERM a worker, and start another one once it has ended."""
        position = self._any()
        await self._stop(self.others[position])
        await self._replace(position)

    async def roll_out(self) -> None:
        """SIGTERM all workers but the spared one, and start others once all have ended."""
        await asyncio.gather(*(self._stop(worker) for worker in self.others))
        for position in range(len(self.others)):
            await self._replace(position)

    async def freeze_a_worker(self) -> None:
        """SIGSTOP a worker for longer than a lease."""
        worker = self.others[self._any()]
        self._frozen.add(worker)
        self._send(worker, signal.SIGSTOP)
        await asyncio.sleep(_FROZEN_S)  # lint: allow sleep: this is the injected fault
        self._send(worker, signal.SIGCONT)
        self._frozen.discard(worker)

    async def put_spinning(self) -> str:
        """Enqueue a job that never gives the event loop back; return its id."""
        job_id = f"spinning:{len(self.spinning) + 1}"
        envelope = Codec().encode({"t": None, "f": "spinning", "a": [{}], "k": {}, "et": 1})
        async with direct(self._stand.redis_server) as redis:
            await Scripts(redis).enqueue([Enqueue(job_id, _SPIN_QUEUE, envelope)])
        self.spinning.append(job_id)
        return job_id

    async def run_spinning(self, job_id: str) -> None:
        """Run that job until it is a dead letter.

        Its workers are started for it and are hit by no signal. Each has to end by itself.
        """
        while not await self._is_dead(job_id):
            worker = await self._stand.start(_SPIN_SETTINGS, **_SPIN_ENVIRONMENT)
            self.lost.add(worker.pid)

            async def is_over(worker: WorkerRun = worker) -> bool:
                return worker.process.returncode is not None or await self._is_dead(job_id)

            await self._stand.until(is_over, _SPIN_ENDS_WITHIN_S)
            if worker.process.returncode is None:
                await self._stop(worker)
            elif not _could_not_start(worker):
                assert worker.process.returncode == 1, worker.log[-2000:]
                assert job_id in logged_jobs(worker.log, "event_loop_stuck"), worker.log[-2000:]
                self.stuck += 1

    def killed_three_owners_of(self, dead_letter: DeadLetter) -> bool:
        """Whether three leases of the job were lost, each by a worker that was killed, stopped, frozen or held."""
        # A token begins with the host's name and the process id.
        pids = [int(token.split(":")[1]) for token in dead_letter.lost_by]
        return dead_letter.failure.type == "LeaseLost" and len(pids) >= CRASH_LIMIT and self.lost.issuperset(pids)

    async def _is_dead(self, job_id: str) -> bool:
        with suppress(*REDIS_ERRORS):
            return bool(await self._stand.redis.hexists(keys.DEAD, job_id))
        return False

    async def _stop(self, worker: WorkerRun) -> None:
        was_frozen = worker in self._frozen
        began = time.monotonic()
        self._send(worker, signal.SIGTERM)
        self.lost.add(worker.pid)
        code = await worker.ended(30)
        # A process that Python has not reached yet has no handler.
        assert code in (0, -signal.SIGTERM) or _could_not_start(worker), f"exit code {code}: {worker.log[-2000:]}"
        if not was_frozen:
            took = time.monotonic() - began
            self.longest_stop_s = max(self.longest_stop_s, took)
            assert took < GRACE_S + _GONE_WITHIN_S, f"gone after {took:.1f} s: {worker.log[-2000:]}"

    def _send(self, worker: WorkerRun, signum: signal.Signals) -> None:
        self.lost.add(worker.pid)
        with suppress(ProcessLookupError):
            worker.send(signum)

    def _any(self) -> int:
        return self._stand.rng.randrange(len(self.others))

    async def _replace(self, position: int) -> None:
        self.others[position] = await self._stand.start()


def _could_not_start(worker: WorkerRun) -> bool:
    return "The worker cannot start" in worker.log
