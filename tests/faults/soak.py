"""The soak: a seeded mix of faults against workers, Redis and a three-member set, under load, for some minutes.

One worker is never killed, so that its memory can be watched; all other faults happen to it too.
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
# Objects of failed commands are collected late, so memory grows over many outages before it levels off. A fraction
# of the soak's time, and a minimum in seconds.
_WARM_UP, _MIN_WARM_UP_S = 0.25, 60
_SETTLED_WITHIN_S = 120
# Allowed growth of a worker's memory and of the connections to both stores.
_ALLOWED_GROWTH = 1.05
_SPARE_CONNECTIONS = 4


async def soak(folder: Path, row: Row, minutes: float, report: Callable[[str], None]) -> None:
    """Inject faults for `minutes`, undo them all, and balance the ledger into `row`.

    Raises `AssertionError` if anything was lost or doubled, the spared worker ended, or its memory or the
    connections have grown by more than 5 %. `report` gets a line of progress every minute. `row.seed` decides the
    faults and their order; what they hit depends on the machine.
    """
    async with open_stand(folder, row, members=3, WORKER_GRACE_PERIOD="5", MONGODB_POOL_SIZE="20") as stand:
        spared = await stand.worker()
        injector = FaultInjector(stand, spared, [await stand.worker() for _ in range(_WORKERS - 1)])
        async with stand.load(per_second=_PER_SECOND) as load:
            await injector.inject(max(60 * minutes * _WARM_UP, _MIN_WARM_UP_S))
            await injector.heal()
            await _fill_the_pools(stand, load)
            before = await _resources(stand, spared)
            for minute in range(math.ceil(minutes)):
                await injector.inject(60 * min(1, minutes - minute))
                row.faults = injector.injected.total()
                progress = f"{row.faults} faults, {len(stand.ledger.accepted):,} jobs accepted"
                report(
                    f"minute {minute + 1}: {progress}, the spared worker has {_resident_kb(spared.pid) >> 10} MB"
                )
            await injector.heal()
            await _fill_the_pools(stand, load)
            after = await _resources(stand, spared)
        row.notes["retried by hand"] = await _retry_killed(stand)
        account = await stand.balance(_SETTLED_WITHIN_S)
        stand.pause_s(account, load.began, load.ended)
        row.notes |= {
            "injected": dict(injector.injected),
            "kills": injector.kills,
            "before": before,
            "after": after,
        }
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


class FaultInjector:
    """Injects faults in a seeded order. It may kill `workers`, and replaces them; `spared` must survive."""

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

    async def inject(self, seconds: float) -> None:
        """Inject one fault after another for `seconds`. Raises if a worker ended that was not killed or stopped."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self._inject_one()

    async def _inject_one(self) -> None:
        assert self._spared.process.returncode is None, self._spared.log[-2000:]
        await self._replace_workers_that_could_not_start()
        fault = self._rng.choices(list(self._faults), weights=list(self._faults.values()))[0]
        await fault()
        self.injected[fault.__name__.strip("_").replace("_", " ")] += 1
        await asyncio.sleep(self._rng.uniform(0.02, 0.08))

    async def heal(self) -> None:
        """Start everything that is down, and wait until all workers are ready."""
        await asyncio.gather(*self._thawing)
        if not self._stand.redis_server.running:
            await self._stand.redis_server.start()
        await self._stand.mongo_server.start()
        await self._stand.until(self._all_are_ready, _SETTLED_WITHIN_S)

    async def _all_are_ready(self) -> bool:
        await self._replace_workers_that_could_not_start()
        ready = {worker.pid for worker in await ready_workers(self._stand.redis)}
        return ready >= {worker.pid for worker in (self._spared, *self._workers)}

    async def _replace_workers_that_could_not_start(self) -> None:
        for position, worker in enumerate(self._workers):
            if worker.process.returncode is not None:
                # A worker that starts while a store is unavailable logs it and ends; a running worker must not end.
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
        """Freeze a worker for longer than a lease, while other faults continue."""
        worker = self._workers[self._any_worker()]
        self._send(worker, signal.SIGSTOP)

        async def thaw() -> None:
            await _outage(12)
            self._send(worker, signal.SIGCONT)

        task = asyncio.create_task(thaw())
        self._thawing.add(task)
        task.add_done_callback(self._thawing.discard)

    async def _kill_redis(self) -> None:
        await self._stand.redis_server.kill()
        await _outage(self._rng.uniform(0, 1.5))
        await self._stand.redis_server.start()

    async def _compact_redis(self) -> None:
        """Rewrite Redis's file, as Redis does once the file has doubled; each restart resets that measure."""
        with suppress(ResponseError):
            # A rewrite is already running.
            await self._stand.redis.bgrewriteaof()

    async def _freeze_redis(self) -> None:
        self._stand.redis_server.freeze()
        await _outage(self._rng.uniform(0.5, 4))
        self._stand.redis_server.thaw()

    async def _cut_connections_to_redis(self) -> None:
        await self._stand.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def _redis_refuses_writes(self) -> None:
        refuses = self._rng.choice([demoted, memory_full])
        async with refuses(self._stand.redis):
            await _outage(self._rng.uniform(0.5, 3))

    async def _kill_a_member(self) -> None:
        member = self._rng.choice(self._stand.mongo_server.members)
        await member.kill()
        await _outage(self._rng.uniform(0, 3))
        await member.start()
        # Two members down at once would leave no majority, which is a different fault.
        await self._stand.mongo_server.ready()

    async def _step_down(self) -> None:
        primary = await self._stand.mongo_server.primary()
        with suppress(AutoReconnect):
            # The primary may close the connection that sent it this command.
            await primary.command("replSetStepDown", 5, force=True)
        await self._stand.mongo_server.ready()

    async def _fail_commands(self) -> None:
        primary = await self._stand.mongo_server.primary()
        what = self._rng.choice(_FAILURES)
        async with fail_command(primary, mode={"times": self._rng.randint(1, 10)}, **what):
            await _outage(self._rng.uniform(0.3, 1.5))

    async def _deliver_again(self) -> None:
        """Enqueue accepted jobs again, as a producer or an operator might, in whatever state they are."""
        jobs = list(self._stand.ledger.accepted)
        again = self._rng.sample(jobs, k=min(5, len(jobs)))
        await self._stand.redis.zadd(DEFAULT_QUEUE, dict.fromkeys(again, 1), nx=True)

    async def _put_garbage(self) -> None:
        job_id = f"garbage-{self._rng.randrange(10**12)}"
        await self._stand.redis.set(keys.JOB + job_id, self._rng.randbytes(self._rng.randrange(200)))
        await self._stand.redis.zadd(DEFAULT_QUEUE, {job_id: 1})


async def _retry_killed(stand: Stand) -> int:
    """Retry, as an operator would, the jobs whose worker was killed three times; return how many there were.

    Their worker may have died after their effect, so the ledger still requires exactly one effect of each.
    """
    await stand.ledger.settle(_SETTLED_WITHIN_S)
    return await stand.dead_letters.retry(
        [dead_letter async for dead_letter in stand.dead_letters.all(error="LeaseLost")]
    )


async def _outage(seconds: float) -> None:
    # This sleep is the injected outage; it does not wait for a condition.
    await asyncio.sleep(seconds)


async def _fill_the_pools(stand: Stand, load: Load) -> None:
    """Give every worker more concurrent jobs than its pools hold.

    Pools must have reached their limits before they are measured: a fault may have emptied a pool a moment ago, and
    under the steady load alone it would stay small.
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
    raise AssertionError(f"/proc/{pid}/status has no VmRSS")


def _check_growth(before: dict[str, int], after: dict[str, int]) -> None:
    for name, first in before.items():
        spare = 0 if name == "worker_rss_kb" else _SPARE_CONNECTIONS
        assert after[name] <= first * _ALLOWED_GROWTH + spare, f"{name}: {first} before, {after[name]} after"
