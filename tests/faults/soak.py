"""The soak: a seeded mix of faults against workers, Redis and a three-member set, under load, for some minutes.

One worker is spared from being killed, so that its memory can be watched; all else happens to it too.
"""

import asyncio
import math
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo.errors import AutoReconnect
from redis.exceptions import ResponseError

from tests.acceptance.conftest import WorkerRun
from tests.faults.injectors.fail_command import fail_command
from tests.faults.injectors.redis_refusals import demoted, memory_full
from tests.faults.load import Load
from tests.faults.rows import Row
from tests.faults.stand import Stand, open_stand
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.heartbeats import ready_workers

_WORKERS = 3
_PER_SECOND = 60
_BURST = 1_000
# What failed commands leave is collected late, so memory grows for many outages before it does no more. A part of
# the soak's time, and seconds.
_WARM_UP, _LEAST_WARM_UP_S = 0.25, 60
_SETTLED_WITHIN_S = 120
# Growth that is let pass: of a worker's memory and of the connections to both stores.
_GROWTH = 1.05
_SPARE_CONNECTIONS = 4


async def soak(folder: Path, row: Row, minutes: float, tell: Callable[[str], None]) -> None:
    """Inject faults for so many minutes, heal everything, and balance the ledger into `row`.

    Raises `AssertionError` if anything was lost or doubled, the spared worker ended, or its memory or the
    connections have grown by more than 5 %. `tell` gets a line now and then. `row.seed` decides which faults come
    in which order; what they meet is up to the machine.
    """
    async with open_stand(folder, row, members=3, WORKER_GRACE_PERIOD="5", MONGODB_POOL_SIZE="20") as stand:
        spared = await stand.worker()
        mayhem = Mayhem(stand, spared, [await stand.worker() for _ in range(_WORKERS - 1)])
        async with stand.load(per_second=_PER_SECOND) as load:
            await mayhem.go_on(max(60 * minutes * _WARM_UP, _LEAST_WARM_UP_S))
            await mayhem.heal()
            await _reach_the_limits(stand, load)
            before = await _resources(stand, spared)
            for minute in range(math.ceil(minutes)):
                await mayhem.go_on(60 * min(1, minutes - minute))
                row.faults = mayhem.injected.total()
                told = f"{row.faults} faults, {len(stand.ledger.accepted):,} jobs accepted"
                tell(f"minute {minute + 1}: {told}, the spared worker has {_resident_kb(spared.pid) >> 10} MB")
            await mayhem.heal()
            await _reach_the_limits(stand, load)
            after = await _resources(stand, spared)
        row.notes["retried by hand"] = await _retry_killed(stand)
        account = await stand.balance(_SETTLED_WITHIN_S)
        stand.pause_s(account, load.began, load.ended)
        row.notes |= {"injected": dict(mayhem.injected), "kills": mayhem.kills, "before": before, "after": after}
        row.notes |= {"dead": account.dead, "calls answered with an error": load.refused}
        assert spared.process.returncode is None
        assert await stand.is_ready(spared)
        _check_growth(before, after)


_FAILURES: tuple[dict[str, Any], ...] = (
    {
        "commands": ["commitTransaction"],
        "errorCode": 112,
        "errorLabels": ["TransientTransactionError"],
    },
    {"commands": ["commitTransaction"], "errorCode": 64, "errorLabels": ["UnknownTransactionCommitResult"]},
    {"commands": ["commitTransaction", "findAndModify", "insert", "update"], "closeConnection": True},
    {"commands": ["findAndModify", "find"], "errorCode": 91, "errorLabels": ["RetryableWriteError"]},
    {"commands": ["commitTransaction", "findAndModify"], "blockConnection": True, "blockTimeMS": 800},
)


class Mayhem:
    """Faults in a seeded order. `workers` may be killed; whoever is, is replaced. `spared` must live."""

    def __init__(self, stand: Stand, spared: WorkerRun, workers: list[WorkerRun]) -> None:
        self._stand = stand
        self._spared = spared
        self._rng = stand.rng
        self._workers = workers
        self._thawing: set[asyncio.Task[None]] = set()
        self.injected: Counter[str] = Counter()
        self._faults: dict[Callable[[], Awaitable[None]], int] = {
            self._kill_a_worker: 30,
            self._kill_redis: 25,
            self._compact_redis: 3,
            self._stop_a_worker: 5,
            self._freeze_a_worker: 3,
            self._freeze_redis: 3,
            self._cut_connections_to_redis: 10,
            self._redis_refuses_writes: 4,
            self._kill_a_member: 6,
            self._step_down: 3,
            self._fail_commands: 8,
            self._deliver_again: 10,
            self._put_garbage: 5,
        }

    @property
    def kills(self) -> int:
        """How many processes were sent SIGKILL."""
        return sum(count for name, count in self.injected.items() if name.startswith("kill"))

    async def go_on(self, seconds: float) -> None:
        """Inject one fault after another for so long. Raises if a worker ended by itself."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self._strike()

    async def _strike(self) -> None:
        assert self._spared.process.returncode is None, self._spared.log[-2000:]
        await self._replace_those_that_could_not_start()
        fault = self._rng.choices(list(self._faults), weights=list(self._faults.values()))[0]
        await fault()
        self.injected[fault.__name__.strip("_").replace("_", " ")] += 1
        await asyncio.sleep(self._rng.uniform(0.02, 0.08))

    async def heal(self) -> None:
        """Let everything run again, and wait until all workers take jobs."""
        await asyncio.gather(*self._thawing)
        if not self._stand.redis_server.running:
            await self._stand.redis_server.start()
        await self._stand.mongo_server.start()
        await self._stand.until(self._all_are_ready, _SETTLED_WITHIN_S)

    async def _all_are_ready(self) -> bool:
        await self._replace_those_that_could_not_start()
        ready = {worker.pid for worker in await ready_workers(self._stand.redis)}
        return ready >= {worker.pid for worker in (self._spared, *self._workers)}

    async def _replace_those_that_could_not_start(self) -> None:
        for position, worker in enumerate(self._workers):
            if worker.process.returncode is not None:
                # Whoever starts while a store is away says so and ends; who runs already must not.
                assert "The worker cannot start" in worker.log, worker.log[-2000:]
                await self._replace(position)

    def _send(self, worker: WorkerRun, signum: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            worker.send(signum)

    def _any_worker(self) -> int:
        return self._rng.randrange(len(self._workers))

    async def _replace(self, position: int) -> None:
        self._workers[position] = await self._stand.start()

    async def _kill_a_worker(self) -> None:
        position = self._any_worker()
        self._send(self._workers[position], signal.SIGKILL)
        await self._workers[position].ended()
        await self._replace(position)

    async def _stop_a_worker(self) -> None:
        position = self._any_worker()
        self._send(self._workers[position], signal.SIGTERM)
        await self._workers[position].ended(30)
        await self._replace(position)

    async def _freeze_a_worker(self) -> None:
        """For longer than a lease, while the other faults go on."""
        worker = self._workers[self._any_worker()]
        self._send(worker, signal.SIGSTOP)

        async def thaw() -> None:
            await _pass_time(12)
            self._send(worker, signal.SIGCONT)

        task = asyncio.create_task(thaw())
        self._thawing.add(task)
        task.add_done_callback(self._thawing.discard)

    async def _kill_redis(self) -> None:
        await self._stand.redis_server.kill()
        await _pass_time(self._rng.uniform(0, 1.5))
        await self._stand.redis_server.start()

    async def _compact_redis(self) -> None:
        """As Redis does by itself once its file has doubled; but each restart counts that from the start."""
        with suppress(ResponseError):
            # One is under way.
            await self._stand.redis.bgrewriteaof()

    async def _freeze_redis(self) -> None:
        self._stand.redis_server.freeze()
        await _pass_time(self._rng.uniform(0.5, 4))
        self._stand.redis_server.thaw()

    async def _cut_connections_to_redis(self) -> None:
        await self._stand.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def _redis_refuses_writes(self) -> None:
        refuses = self._rng.choice([demoted, memory_full])
        async with refuses(self._stand.redis):
            await _pass_time(self._rng.uniform(0.5, 3))

    async def _kill_a_member(self) -> None:
        member = self._rng.choice(self._stand.mongo_server.members)
        await member.kill()
        await _pass_time(self._rng.uniform(0, 3))
        await member.start()
        # Two members down at once would be no majority, which is a fault of its own.
        await self._stand.mongo_server.ready()

    async def _step_down(self) -> None:
        primary = await self._stand.mongo_server.primary()
        with suppress(AutoReconnect):
            # The primary may close the very connection that asked it to step down.
            await primary.command("replSetStepDown", 5, force=True)
        await self._stand.mongo_server.ready()

    async def _fail_commands(self) -> None:
        primary = await self._stand.mongo_server.primary()
        what = self._rng.choice(_FAILURES)
        async with fail_command(primary, mode={"times": self._rng.randint(1, 10)}, **what):
            await _pass_time(self._rng.uniform(0.3, 1.5))

    async def _deliver_again(self) -> None:
        """As a producer or an operator might, whatever has become of the job."""
        jobs = list(self._stand.ledger.accepted)
        again = self._rng.sample(jobs, k=min(5, len(jobs)))
        await self._stand.redis.zadd(DEFAULT_QUEUE, dict.fromkeys(again, 1), nx=True)

    async def _put_garbage(self) -> None:
        job_id = f"garbage-{self._rng.randrange(10**12)}"
        await self._stand.redis.set(keys.JOB + job_id, self._rng.randbytes(self._rng.randrange(200)))
        await self._stand.redis.zadd(DEFAULT_QUEUE, {job_id: 1})


async def _retry_killed(stand: Stand) -> int:
    """Retry, as an operator would, the jobs whose worker was killed three times over; returns how many there were.

    Their worker may have died after their effect: so the ledger holds them to one effect after all.
    """
    await stand.ledger.settle(_SETTLED_WITHIN_S)
    return await stand.dead_letters.retry(
        [dead_letter async for dead_letter in stand.dead_letters.all(error="ProcessKilled")]
    )


async def _pass_time(seconds: float) -> None:
    # The length of an outage is what is injected here; nothing is waited for.
    await asyncio.sleep(seconds)


async def _reach_the_limits(stand: Stand, load: Load) -> None:
    """Give every worker more at once than its pools hold.

    What grows only to its limits has to be there before it is looked at: a fault may have emptied a pool a moment
    ago, and without faults it would stay as small as the steady load lets it.
    """
    await load.put_many("ingest", _BURST)
    await stand.effects_grow_by(5 * _PER_SECOND, _SETTLED_WITHIN_S)


async def _resources(stand: Stand, worker: WorkerRun) -> dict[str, int]:
    primary = await stand.mongo_server.primary()
    connections = (await primary.command("serverStatus"))["connections"]
    clients = await stand.redis.info("clients")
    return {
        "worker_rss_kb": _resident_kb(worker.pid),
        "redis_connections": int(clients["connected_clients"]),
        "mongodb_connections": int(connections["current"]),
    }


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} tells no VmRSS")


def _check_growth(before: dict[str, int], after: dict[str, int]) -> None:
    for name, first in before.items():
        spare = 0 if name == "worker_rss_kb" else _SPARE_CONNECTIONS
        assert after[name] <= first * _GROWTH + spare, f"{name}: {first} before, {after[name]} after"
