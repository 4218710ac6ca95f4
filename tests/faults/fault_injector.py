"""The faults of a soak, in an order that a seed decides."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from pymongo.errors import AutoReconnect
from redis.exceptions import ResponseError

from tests.faults.fleet import Fleet
from tests.faults.injectors.fail_command import fail_command
from tests.faults.injectors.moving_name import MovingName, direct
from tests.faults.injectors.redis_refusals import demoted, memory_full
from tests.faults.stand import Stand
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys

_SETTLED_WITHIN_S = 120
# Bytes per second that all workers share. Their steady traffic is 100,000.
_SLOW_LINK = (30_000, 200_000)

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
    """Injects faults into the stand's servers, their links and the fleet, one after another.

    Some last while others follow: a frozen worker, a slow link, a job that spins. Redis is addressed by its server,
    not by its name, because a connection to the name may still lead to the old primary. `garbage` has the ids of
    jobs that no worker can read. `injected` counts the faults by name.
    """

    def __init__(self, stand: Stand, name: MovingName, fleet: Fleet) -> None:
        self._stand = stand
        self._name = name
        self._fleet = fleet
        self._rng = stand.rng
        self._lasting: dict[str, asyncio.Task[None]] = {}
        self.garbage: set[str] = set()
        self.injected: Counter[str] = Counter()
        self._faults: dict[Callable[[], Awaitable[None]], int] = {
            fleet.kill_a_worker: 30,
            fleet.stop_a_worker: 5,
            self._freeze_a_worker: 3,
            self._spin: 3,
            self._kill_redis: 25,
            self._compact_redis: 3,
            self._freeze_redis: 3,
            self._cut_connections_to_redis: 10,
            self._redis_refuses_writes: 4,
            self._move_the_name: 8,
            self._slow_the_link: 5,
            self._kill_a_member: 6,
            self._step_down: 3,
            self._fail_commands: 8,
            self._roll_out_while_mongodb_is_frozen: 4,
            self._deliver_again: 10,
            self._put_garbage: 5,
        }

    @property
    def kills(self) -> int:
        """How many processes were sent SIGKILL."""
        return sum(count for name, count in self.injected.items() if name.startswith("kill"))

    async def inject(self, seconds: float) -> None:
        """Inject one fault after another for `seconds`. Raises if a worker ended that nothing has hit."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self._inject_one()

    async def _inject_one(self) -> None:
        await self._fleet.check()
        for name in [name for name, task in self._lasting.items() if task.done()]:
            await self._lasting.pop(name)
        possible = {fault: weight for fault, weight in self._faults.items() if _title(fault) not in self._lasting}
        fault = self._rng.choices(list(possible), weights=list(possible.values()))[0]
        await fault()
        self.injected[_title(fault)] += 1
        await asyncio.sleep(self._rng.uniform(0.02, 0.08))

    async def heal(self) -> None:
        """End what lasts, start everything that is down, and wait until all workers are ready."""
        await asyncio.gather(*self._lasting.values())
        self._lasting.clear()
        if not self._stand.redis_server.running:
            await self._stand.redis_server.start()
        await self._stand.mongo_server.start()
        await self._stand.until(self._fleet.all_are_ready, _SETTLED_WITHIN_S)

    def _lasts(self, fault: Callable[[], Awaitable[None]], coroutine: Coroutine[Any, Any, None]) -> None:
        self._lasting[_title(fault)] = asyncio.create_task(coroutine)

    async def _freeze_a_worker(self) -> None:
        self._lasts(self._freeze_a_worker, self._fleet.freeze_a_worker())

    async def _spin(self) -> None:
        job_id = await self._fleet.put_spinning()
        self._lasts(self._spin, self._fleet.run_spinning(job_id))

    async def _slow_the_link(self) -> None:
        """Make the way from the workers to Redis narrow for some seconds."""

        async def slow() -> None:
            self._name.workers_link.limit(self._rng.uniform(*_SLOW_LINK))
            await _outage(self._rng.uniform(2, 8))
            self._name.workers_link.unlimit()

        self._lasts(self._slow_the_link, slow())

    async def _move_the_name(self) -> None:
        """Fail over to the replica; the old primary lives on as its replica, with the connections that it has."""
        await self._name.fail_over()

    async def _kill_redis(self) -> None:
        await self._stand.redis_server.kill()
        await _outage(self._rng.uniform(0, 1.5))
        await self._stand.redis_server.start()

    async def _compact_redis(self) -> None:
        """Rewrite Redis's file, as Redis does once the file has doubled; each restart resets that measure."""
        async with direct(self._stand.redis_server) as redis:
            with suppress(ResponseError):
                # A rewrite is already running.
                await redis.bgrewriteaof()

    async def _freeze_redis(self) -> None:
        self._stand.redis_server.freeze()
        await _outage(self._rng.uniform(0.5, 4))
        self._stand.redis_server.thaw()

    async def _cut_connections_to_redis(self) -> None:
        async with direct(self._stand.redis_server) as redis:
            await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def _redis_refuses_writes(self) -> None:
        refuses = self._rng.choice([demoted, memory_full])
        async with direct(self._stand.redis_server) as redis, refuses(redis):
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

    async def _roll_out_while_mongodb_is_frozen(self) -> None:
        """Freeze all members of the set for some seconds, and replace all workers but one meanwhile."""
        self._stand.mongo_server.freeze()
        try:
            await _outage(self._rng.uniform(0, 2))
            await self._fleet.roll_out()
            await _outage(self._rng.uniform(0, 3))
        finally:
            self._stand.mongo_server.thaw()
        await self._stand.mongo_server.ready()

    async def _deliver_again(self) -> None:
        """Enqueue accepted jobs again, as a producer or an operator might, in whatever state they are."""
        jobs = list(self._stand.ledger.accepted)
        again = self._rng.sample(jobs, k=min(5, len(jobs)))
        async with direct(self._stand.redis_server) as redis:
            await redis.zadd(DEFAULT_QUEUE, dict.fromkeys(again, 1), nx=True)

    async def _put_garbage(self) -> None:
        job_id = f"garbage-{self._rng.randrange(10**12)}"
        self.garbage.add(job_id)
        async with direct(self._stand.redis_server) as redis:
            await redis.set(keys.JOB + job_id, self._rng.randbytes(self._rng.randrange(200)))
            await redis.zadd(DEFAULT_QUEUE, {job_id: 1})


def _title(fault: Callable[[], Awaitable[None]]) -> str:
    return fault.__name__.strip("_").replace("_", " ")


async def _outage(seconds: float) -> None:
    # This sleep is the injected outage; it does not wait for a condition.
    await asyncio.sleep(seconds)
