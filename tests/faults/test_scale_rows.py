"""A very long queue after a day without workers, and whether the figures that an operator sees are correct.

An operator has `hospital-worker queue` and `check`, the workers' heartbeats and their logs. There is no metrics
endpoint and no dashboard yet; once there is, its figures belong in row 36.
"""

import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import pytest

from benchmarks.harness import Stopwatch
from tests.faults.conftest import OpenStand
from tests.faults.injectors.fail_command import fail_command
from tests.faults.injectors.redis_refusals import demoted
from tests.faults.load import record
from tests.faults.stand import Stand
from worker.codec import Codec
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE, INGEST_HOSPITAL, QUEUES, IngestHospital
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.queue import keys
from worker.queue.heartbeats import STALE_AFTER_S, read_heartbeats, ready_workers
from worker.queue.scripts import Enqueue, Scripts
from worker.queue.stats import read_stats
from worker.settings import load_settings

# ---- row 33 -------------------------------------------------------------------------------------------

DAY_MS = 86_400_000
SHORT, LONG, QUICK = 10_000, 1_000_000, 20_000
LEFT_BEHIND, DEAD_OWNER = 300, "dead-worker:1"
NOOP_WORKER = "tests.faults.settings.noop.WorkerSettings"
_PER_CALL, _SAMPLE_SIZE, _JOBS_PER_ROUND, _ROUNDS = 500, 5_000, 8_000, 40


class Backlog:
    """No-op jobs on one Redis, overdue by a day."""

    def __init__(self, stand: Stand, url: str) -> None:
        self._stand, self._url = stand, url
        self.redis = open_arq_redis(load_settings(redis_url=url), Codec())
        self.enqueued = 0

    async def fill(self, waiting: int) -> None:
        """Enqueue jobs until the queue has this length."""
        scripts = Scripts(self.redis)
        then_ms = int(time.time() * 1000) - DAY_MS
        envelope = Codec().encode({"t": None, "f": "noop", "a": [], "k": {}, "et": then_ms})
        wanted = self.enqueued + waiting - await self.length()
        while self.enqueued < wanted:
            until = min(wanted, self.enqueued + _PER_CALL)
            await scripts.enqueue(
                Enqueue(f"noop:{number}", DEFAULT_QUEUE, envelope, -DAY_MS)
                for number in range(self.enqueued, until)
            )
            self.enqueued = until
        # Redis rewrites its append-only file meanwhile, which takes a core.
        await self._stand.until(self._rewrite_has_ended, 60)

    async def day_passes(self) -> None:
        """Make it look as if the last worker died a day ago while it held jobs; all times are that old."""
        claim = await Scripts(self.redis).claim(DEAD_OWNER, 1, LEFT_BEHIND, [(DEFAULT_QUEUE, LEFT_BEHIND)])
        assert len(claim.jobs) == LEFT_BEHIND
        # They come first: a claiming worker must skip them for as long as their owner may come back.
        ended = dict.fromkeys((job.job_id for job in claim.jobs), claim.now_ms - 2 * DAY_MS)
        await self.redis.zadd(DEFAULT_QUEUE, ended)
        await self.redis.zadd(DEFAULT_QUEUE + keys.LEASED_SUFFIX, ended)
        await self.redis.hset(keys.CLOCK, "seen", claim.now_ms - DAY_MS)

    async def length(self) -> int:
        return int(await self.redis.zcard(DEFAULT_QUEUE))

    async def take_over(self) -> None:
        """Run a worker until it has taken over the dead worker's jobs."""
        async with self._worker():
            await self._stand.until(self._dead_owner_holds_no_lease, 60)

    async def process(self, jobs: int) -> float:
        """Run a worker for this many jobs; return how many it did per second once it was up."""
        waiting = await self.length()
        stopwatch = Stopwatch(jobs)

        async def rate() -> float | None:
            return stopwatch.observe(time.perf_counter(), waiting - await self.length())

        async with self._worker():
            found: float = await self._stand.until(rate, 100)
        return found

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[None]:
        worker = await self._stand.start(NOOP_WORKER, REDIS_URL=self._url, WORKER_LEASE="4")
        yield
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0

    async def _dead_owner_holds_no_lease(self) -> bool:
        return DEAD_OWNER.encode() not in await self.redis.hvals(keys.LEASES)

    async def balance(self) -> None:
        """Check that each job has its result or waits with its payload: look up a sample, count them all."""
        row, rng = self._stand.row, self._stand.rng
        sample = [f"noop:{n}" for n in rng.sample(range(self.enqueued), min(_SAMPLE_SIZE, self.enqueued))]
        async with self.redis.pipeline(transaction=False) as pipe:
            for job_id in sample:
                pipe.exists(keys.RESULT + job_id)
                pipe.exists(keys.JOB + job_id)
                pipe.zscore(DEFAULT_QUEUE, job_id)
            found = await pipe.execute()
        for result, payload, due in zip(*[iter(found)] * 3, strict=True):
            assert (result, payload, due is not None) in ((1, 0, False), (0, 1, True))
        assert await self.redis.hlen(keys.LEASES) == 0
        # Redis holds one key per job plus these shared keys: nothing is lost, and nothing is left behind.
        queue_keys = [DEFAULT_QUEUE + suffix for suffix in ("", keys.WAKEUP_SUFFIX, keys.HEALTH_CHECK_SUFFIX)]
        shared = await self.redis.exists(
            *(keys.CLOCK, keys.WORKERS, keys.WORKERS_SEEN, keys.CLAIMS, keys.CRASHES), *queue_keys
        )
        kept = await self.redis.dbsize() - shared
        row.lost += self.enqueued - kept
        row.accepted += self.enqueued
        row.applied += kept - await self.length()
        assert kept == self.enqueued

    async def close(self) -> None:
        await self.redis.aclose(close_connection_pool=True)

    async def _rewrite_has_ended(self) -> bool:
        return not (await self.redis.info("persistence"))["aof_rewrite_in_progress"]


@pytest.mark.long
async def test_row_33_workers_off_for_a_day(stand: Stand) -> None:
    backlog = Backlog(stand, stand.redis_server.url)
    await backlog.fill(QUICK)
    await backlog.day_passes()
    stand.row.faults += 1
    await backlog.process(QUICK)
    assert await backlog.length() == 0
    await backlog.balance()
    await backlog.close()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_row_33_a_million_waiting_and_workers_off_for_a_day(stand: Stand) -> None:
    # No server is killed here, and waiting for the disk at each call would be most of what is compared.
    async with EmbeddedRedis() as first, EmbeddedRedis() as second:
        short, long = Backlog(stand, first.url), Backlog(stand, second.url)
        for backlog, waiting in ((short, SHORT), (long, LONG)):
            await backlog.fill(waiting)
            await backlog.day_passes()
            # Not timed: the same few jobs are taken over, however many wait.
            await backlog.take_over()
            stand.row.faults += 1
        rates: dict[str, list[float]] = {"short": [], "long": []}
        turns = [("short", short), ("long", long)]
        for _ in range(_ROUNDS):
            # Both, because what was enqueued last is in the processor's caches.
            await short.fill(SHORT)
            await long.fill(LONG)
            for name, backlog in turns:
                rates[name].append(await backlog.process(_JOBS_PER_ROUND))
            # The first in a round gets the machine as the filling left it, so the order alternates.
            turns.reverse()
        for backlog in (short, long):
            await backlog.balance()
            await backlog.close()
    # A round takes a fifth of a second, and the machine changes between rounds more than within one.
    ratios = [with_long / with_short for with_short, with_long in zip(*rates.values(), strict=True)]
    stand.row.notes |= {f"jobs/s, {name}": round(median(found)) for name, found in rates.items()}
    assert median(ratios) >= 0.9


# ---- row 36 -------------------------------------------------------------------------------------------

VISIBLE_WITHIN_S = 15.0


async def _queues_have(stand: Stand, **queues: tuple[int, int, int]) -> bool:
    """Return whether each queue has these numbers of jobs waiting, deferred and in flight."""
    state = await read_stats(stand.redis, QUEUES)
    found = {name: (queue.waiting, queue.deferred, queue.in_flight) for name, queue in state.queues.items()}
    return found == {DEFAULT_QUEUE: queues["single"], BULK_QUEUE: queues["bulk"]}


async def _read_report(stand: Stand) -> dict[str, Any]:
    """Return the output of the operator's command."""
    report: dict[str, Any] = json.loads((await stand.run("worker", "queue", "--json")).out)
    return report


async def _heartbeat_has(stand: Stand, pid: int, **figures: int) -> bool:
    """Return whether a worker's latest heartbeat has these figures."""
    (heartbeat,) = [found for found in await read_heartbeats(stand.redis) if found.pid == pid]
    return {name: getattr(heartbeat, name) for name in figures} == figures


async def _no_worker_is_ready(stand: Stand) -> bool:
    return not await ready_workers(stand.redis)


@pytest.mark.long
async def test_row_36_figures_are_exact_at_each_quiet_point(open_stand: OpenStand) -> None:
    async with open_stand(WORKER_LEASE="4") as stand:
        load, producer = stand.load(amended=0), stand.producer_client
        single, deferred, chunks, dying = 30, 12, 3, 7
        await load.put_many("ingest", single)
        for number in range(deferred):
            payload = IngestHospital(record=record(-1 - number))
            receipt = await producer.enqueue(INGEST_HOSPITAL, payload, delay=3_600)
            stand.ledger.accept("ingest", receipt.job_id, payload.record.hospital_id)
        deferred_jobs = [job_id for job_id, job in stand.ledger.accepted.items() if "faults:h-" in job.hospital_id]
        for number in range(chunks):
            await producer.ingest_hospitals([record(-100 - number)])
            stand.ledger.uncertain(record(-100 - number).hospital_id)
        assert await _queues_have(stand, single=(single, deferred, 0), bulk=(chunks, 0, 0))

        primary = await stand.mongo_server.primary()
        async with fail_command(primary, ["findAndModify"], blockConnection=True, blockTimeMS=6_000):
            worker = await stand.worker()
            await stand.until(lambda: _queues_have(stand, single=(0, deferred, single), bulk=(0, 0, 0)))
            await stand.until(lambda: _heartbeat_has(stand, worker.pid, running=single))
            # A dead worker's jobs are in flight until another worker takes them.
            worker.send(signal.SIGKILL)
            stand.row.faults += 1
            await worker.ended()
            assert await _queues_have(stand, single=(0, deferred, single), bulk=(0, 0, 0))
            report = await _read_report(stand)
        assert report["dead"] == 0
        assert [(one["pid"], one["running"]) for one in report["workers"]] == [(worker.pid, single)]
        queue = report["queues"][DEFAULT_QUEUE]
        # As the dead worker's last heartbeat says, and the time since then.
        assert 0 < queue.pop("longest_run_s") < VISIBLE_WITHIN_S
        assert queue | {"oldest_wait_s": 0} == {
            "waiting": 0, "deferred": deferred, "in_flight": single, "oldest_wait_s": 0,
        }  # fmt: skip

        fresh = await stand.worker()
        await stand.until(lambda: _queues_have(stand, single=(0, deferred, 0), bulk=(0, 0, 0)))
        async with fail_command(primary, ["findAndModify"], errorCode=14):
            await load.put_many("ingest", dying)
            await stand.until(lambda: _queues_have(stand, single=(0, deferred, 0), bulk=(0, 0, 0)))
        stand.row.faults += dying
        # An operator can make deferred jobs due now.
        await stand.redis.zadd(DEFAULT_QUEUE, dict.fromkeys(deferred_jobs, 1), xx=True)
        account = await stand.balance()
        assert (account.applied, account.dead) == (single + deferred, dying)
        report = await _read_report(stand)
        assert report["dead"] == dying
        for queue in report["queues"].values():
            assert queue == {"waiting": 0, "deferred": 0, "in_flight": 0, "oldest_wait_s": 0, "longest_run_s": 0}
        # The dead worker's own last heartbeat holds what it did.
        await stand.until(
            lambda: _heartbeat_has(stand, fresh.pid, running=0, complete=single + deferred, failed=dying)
        )


@pytest.mark.long
async def test_row_36_each_fault_shows_within_15_s(stand: Stand) -> None:
    worker = await stand.worker()

    async def logged(action: str, text: str = "") -> bool:
        return any(f"action={action}" in line and text in line for line in worker.log.splitlines())

    async def not_ready_because(why: str) -> bool:
        state = await read_stats(stand.redis, QUEUES)
        return any(not heartbeat.ready and why in heartbeat.why_not for heartbeat, _ in state.workers)

    async def check_fails() -> bool:
        return (await stand.run("worker", "check", "--here")).code != 0

    async def shows(fault: str, *signs: Callable[[], Awaitable[bool]]) -> None:
        began = time.monotonic()
        for sign in signs:
            await stand.until(sign, VISIBLE_WITHIN_S - (time.monotonic() - began))
        stand.row.faults += 1
        stand.row.notes[f"{fault} shows after s"] = round(time.monotonic() - began, 1)

    async with stand.load(per_second=30) as load:
        await stand.effects_grow_by(30)
        primary = await stand.mongo_server.primary()

        # This comes first: a job that an outage left applied but unacknowledged would be both applied and refused.
        async with fail_command(primary, ["findAndModify"], errorCode=14):
            await load.put("ingest")
            await shows("a dead letter", lambda: stand.redis.hlen(keys.DEAD), lambda: logged("job_dead_lettered"))

        await primary.kill()
        why = "MongoDB is unavailable"
        await shows(
            "MongoDB killed", lambda: not_ready_because(why), lambda: logged("circuit_breaker_opened"), check_fails
        )
        await primary.start()
        await stand.until(lambda: stand.is_ready(worker))

        await stand.redis_server.kill()
        await shows("Redis killed", lambda: logged("redis_lost"), check_fails)
        await stand.redis_server.start()
        await stand.until(lambda: logged("redis_back"))

        async with demoted(stand.redis):
            await shows(
                "Redis read-only",
                lambda: _no_worker_is_ready(stand),
                lambda: logged("redis_lost", "READONLY"),
                check_fails,
            )
        await stand.until(lambda: stand.is_ready(worker))

        worker.send(signal.SIGSTOP)
        await shows("worker frozen", check_fails)
        worker.send(signal.SIGCONT)
        await stand.until(lambda: stand.is_ready(worker))
    account = await stand.balance()
    assert (await _read_report(stand))["dead"] == account.dead > 0

    worker.send(signal.SIGKILL)
    await shows("worker killed", check_fails)
    (dead,) = (await _read_report(stand))["workers"]
    assert dead["age_s"] > STALE_AFTER_S
