import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC
from signal import Signals
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings
from arq.cron import cron
from arq.worker import Retry, func
from fakeredis import FakeRedis, FakeServer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from tests.support.captured_lines import capture_logs
from tests.support.schedules import FAR_MONTH
from tests.support.waiting import until
from tests.unit.engine.conftest import KeptEvents, envelope, open_client, stop_all
from worker.codec import Codec
from worker.engine import shutdown
from worker.engine import worker as worker_module
from worker.engine.claimer import Claimer
from worker.engine.events import (
    Events,
    ExitRefused,
    GracePeriodExpired,
    JobsLeftBehind,
    RedisInfoFailed,
    ShutdownStarted,
    SignOffFailed,
    TryEnded,
)
from worker.engine.local_zone import LocalZone
from worker.engine.worker import LeaseWorker
from worker.errors import ConfigurationError, OutageError, PermanentError
from worker.queue import keys
from worker.queue.claim import Claim
from worker.queue.heartbeats import Heartbeat, read_heartbeats
from worker.queue.scripts import Enqueue, Scripts

QUEUE, BULK = "queue", "bulk"
LISTENED_TO: list[type] = [
    ExitRefused,
    GracePeriodExpired,
    TryEnded,
    JobsLeftBehind,
    RedisInfoFailed,
    ShutdownStarted,
    SignOffFailed,
]


class Gate:
    """A job that says that it runs and waits to be let through."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.tries: list[int] = []
        self.open = asyncio.Event()

    def function(self, **options: Any) -> Any:
        async def gated(ctx: dict[str, Any]) -> str:
            self.running.append(ctx["job_id"])
            self.tries.append(ctx["job_try"])
            await self.open.wait()
            return "through"

        return func(gated, name="gated", **options)


async def double(ctx: dict[str, Any], number: int) -> int:
    return number * 2


async def refuse(ctx: dict[str, Any]) -> None:
    raise PermanentError("never")


async def retry_once(ctx: dict[str, Any]) -> str:
    if ctx["job_try"] == 1:
        raise Retry(defer=0)
    return "done"


class Bench:
    """A queue in this process, and whole workers on it."""

    def __init__(self, server: FakeServer, redis: ArqRedis) -> None:
        self.redis = redis
        self.scripts = Scripts(redis)
        self.events = KeptEvents()
        self._server = server
        self._workers: list[LeaseWorker] = []

    async def open(self) -> ArqRedis:
        return open_client(self._server)

    async def stop(self) -> None:
        """End the workers that a test which has failed left behind."""
        for worker in self._workers:
            if worker.main_task is not None and not worker.main_task.done():
                # The second signal ends a grace period.
                for _ in range(2):
                    worker.handle_sig(Signals.SIGTERM)
                await asyncio.wait([worker.main_task], timeout=1)
                worker.main_task.cancel()
            await worker.close()

    def worker(self, *functions: Any, **options: Any) -> LeaseWorker:
        defaults: dict[str, Any] = {
            "queues": {QUEUE: 10},
            # Only an announcement wakes an idle worker.
            "poll_delay": 60,
            "handle_signals": False,
            "open_redis": self.open,
        }
        worker = LeaseWorker(functions or [double], **(defaults | options))
        for kind in LISTENED_TO:
            worker.events.subscribe(kind, self.events.send)
        self._workers.append(worker)
        return worker

    @asynccontextmanager
    async def serving(self, *functions: Any, **options: Any) -> AsyncIterator[LeaseWorker]:
        """A worker that takes jobs; it must not end by itself."""
        worker = self.worker(*functions, **options)
        main = asyncio.create_task(worker.async_run())
        try:
            await until(lambda: self.heartbeat_of(worker))
            yield worker
            assert not main.done(), "the worker ended by itself"
        finally:
            await self.stop()
            await asyncio.gather(main, return_exceptions=True)

    async def burst(self, *functions: Any, **options: Any) -> LeaseWorker:
        """Run a worker until the queues are empty."""
        worker = self.worker(*functions, burst=True, **options)
        await asyncio.wait_for(worker.async_run(), 10)
        await worker.close()
        return worker

    async def put(self, job_id: str, function: str, *args: Any, queue: str = QUEUE, delay_ms: int = 0) -> str:
        await self.scripts.enqueue([Enqueue(job_id, queue, envelope(function, *args), delay_ms)])
        return job_id

    async def result(self, job_id: str) -> Any:
        """The result of a job, waited for."""
        data = await until(lambda: self.redis.get(keys.RESULT + job_id))
        return Codec().decode(data)["r"]

    async def heartbeat_of(self, worker: LeaseWorker) -> Heartbeat | None:
        found = {heartbeat.worker: heartbeat for heartbeat in await read_heartbeats(self.redis)}
        return found.get(worker.worker_id)

    async def scores(self) -> dict[str, float]:
        return {name.decode(): score for name, score in await self.redis.zrange(QUEUE, 0, -1, withscores=True)}

    async def marks(self, job_id: str) -> list[str]:
        """What an owner leaves of a job, by the names of the places."""
        found = [name for name in (keys.LEASES, keys.CRASHES) if await self.redis.hexists(name, job_id)]
        found += [name for name in (keys.IN_PROGRESS, keys.TRIES) if await self.redis.exists(name + job_id)]
        leased = await self.redis.zscore(QUEUE + keys.LEASED_SUFFIX, job_id)
        return found if leased is None else [*found, keys.LEASED_SUFFIX]


async def settle() -> None:
    """Let the tasks of a worker run that need no time to pass."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def bench(server: FakeServer, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    # The thread that renews leases makes its own connection from the address of the pool, which has none here.
    monkeypatch.setattr(worker_module, "sync_twin", lambda pool: FakeRedis(server=server))
    bench = Bench(server, redis)
    yield bench
    await bench.stop()


async def test_without_a_timezone_cron_follows_the_rules_of_the_machines_zone(bench: Bench) -> None:
    assert isinstance(bench.worker().timezone, LocalZone)
    assert bench.worker(timezone=UTC).timezone is UTC


@pytest.fixture
def without_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker calls no script before it serves, so that a test may replace one from the beginning."""

    async def nothing(*_: Any) -> None: ...

    monkeypatch.setattr(worker_module, "try_queue", nothing)


async def test_a_burst_runs_what_is_there_and_counts_how_it_ended(bench: Bench) -> None:
    await bench.put("a", "double", 21)
    await bench.put("b", "refuse")
    await bench.put("c", "retry_once")
    functions = [func(double), func(refuse), func(retry_once)]
    with capture_logs() as logs:
        worker = await bench.burst(*functions, poll_delay=0.01)

    assert await bench.result("a") == 42
    assert await bench.result("c") == "done"
    assert (worker.jobs_complete, worker.jobs_failed, worker.jobs_retried) == (2, 1, 1)
    assert await bench.redis.hexists(keys.DEAD, "b")
    assert await bench.scores() == {}
    assert [await bench.marks(job_id) for job_id in "abc"] == [[], [], []]
    lines = [(line["action"], line["job_id"]) for line in logs if "job_id" in line]
    assert sorted(lines) == [("job_dead_lettered", "b"), ("job_retried", "c")]


async def test_hooks_run_around_the_worker_and_each_job(bench: Bench) -> None:
    called: list[str] = []

    def hook(name: str) -> Any:
        async def run(ctx: dict[str, Any]) -> None:
            assert "redis" in ctx
            stored = "job_id" in ctx and await ctx["redis"].exists(keys.RESULT + ctx["job_id"])
            called.append(f"{name}, stored" if stored else name)

        return run

    names = ("on_startup", "on_shutdown", "on_job_start", "on_job_end", "after_job_end")
    await bench.put("a", "double", 1)
    await bench.burst(double, **{name: hook(name) for name in names})

    assert called == ["on_startup", "on_job_start", "on_job_end", "after_job_end, stored", "on_shutdown"]


async def test_a_limited_burst_runs_only_so_many_jobs_to_their_end(bench: Bench) -> None:
    for job_id in "abcde":
        await bench.put(job_id, "double", 1)
    worker = await bench.burst(double, max_burst_jobs=2)

    assert worker.jobs_complete == 2
    assert len(await bench.scores()) == 3


async def test_a_burst_lets_its_last_jobs_end(bench: Bench) -> None:
    gate = Gate()
    await bench.put("a", "gated")
    worker = bench.worker(gate.function(), burst=True, max_burst_jobs=1)
    main = asyncio.create_task(worker.async_run())
    await until(lambda: gate.running)
    await settle()
    assert not main.done()
    gate.open.set()
    await asyncio.wait_for(main, 10)
    await worker.close()

    assert worker.jobs_complete == 1


async def test_a_burst_enqueues_its_due_cron_jobs_before_it_looks_for_jobs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*arguments: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(worker_module, "every", never)
    ran: list[str] = []

    async def tick(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    await bench.burst(cron_jobs=[cron(tick, name="tick", month=FAR_MONTH, run_at_startup=True)])

    (job_id,) = ran
    assert job_id.startswith("tick:")


async def test_a_worker_that_serves_enqueues_its_due_cron_jobs(bench: Bench) -> None:
    ran: list[str] = []

    async def tick(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    due = cron(tick, name="tick", month=FAR_MONTH, run_at_startup=True)
    async with bench.serving(double, cron_jobs=[due], poll_delay=0.02):
        await until(lambda: ran)

    assert len(ran) == 1


async def test_an_idle_worker_is_woken_by_an_announced_job(bench: Bench) -> None:
    async with bench.serving(double) as worker:
        for number in range(3):
            assert await bench.result(await bench.put(f"job-{number}", "double", number)) == number * 2
        await until(lambda: worker.jobs_complete == 3)


async def test_queues_are_served_with_the_slots_of_each(bench: Bench) -> None:
    gate = Gate()
    for number in range(4):
        await bench.put(f"bulk-{number}", "gated", queue=BULK)
    async with bench.serving(double, gate.function(), queues={QUEUE: 10, BULK: 2}, max_jobs=10):
        await until(lambda: len(gate.running) == 2)
        assert await bench.result(await bench.put("urgent", "double", 1)) == 2
        assert len(gate.running) == 2
        gate.open.set()
        await until(lambda: len(gate.running) == 4)


async def test_a_heartbeat_describes_the_worker(bench: Bench) -> None:
    gate = Gate()
    await bench.put("a", "gated")
    async with bench.serving(gate.function(), max_jobs=7, queues={QUEUE: 5, BULK: 2}) as worker:
        heartbeat = await bench.heartbeat_of(worker)
        assert heartbeat is not None
        assert (heartbeat.worker, heartbeat.ready, heartbeat.why_not) == (worker.worker_id, True, "")
        assert (heartbeat.queues, heartbeat.slots) == ([QUEUE, BULK], 7)
        await until(lambda: gate.running)
        gate.open.set()

    # What has signed off is not taken for a worker that died.
    assert await bench.heartbeat_of(worker) is None


async def test_heartbeats_follow_the_jobs_and_say_why_none_are_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "HEARTBEAT_INTERVAL_S", 0.005)
    gate = Gate()
    await bench.put("good", "double", 1)
    await bench.put("bad", "refuse")
    await bench.put("again", "retry_once")
    await bench.put("long", "gated")
    functions = [func(double), func(refuse), func(retry_once), gate.function()]

    worker = bench.worker(*functions, job_completion_wait=60)

    async def counts() -> tuple[int, ...]:
        heartbeat = await bench.heartbeat_of(worker)
        if heartbeat is None or not heartbeat.ready:
            return ()
        return heartbeat.running, heartbeat.complete, heartbeat.retried, heartbeat.failed

    async def is_counted() -> bool:
        return await counts() == (1, 2, 1, 1)

    async def reason() -> str:
        heartbeat = await bench.heartbeat_of(worker)
        return heartbeat.why_not if heartbeat and not heartbeat.ready else ""

    main = asyncio.create_task(worker.async_run())
    await until(is_counted)
    stop_all(worker.breaker, *worker.functions)
    assert await until(reason) == "MongoDB is unavailable"
    worker.breaker.succeeded("ingest", worker.breaker.era)
    await until(is_counted)
    worker.handle_sig(Signals.SIGTERM)
    assert await until(reason) == "stopping"
    gate.open.set()
    await asyncio.wait_for(main, 10)
    await worker.close()


async def test_the_key_of_arqs_check_shows_the_counters_and_soon_expires(bench: Bench) -> None:
    await bench.put("a", "double", 1)
    async with bench.serving(double) as worker:
        await bench.result("a")
        await until(lambda: worker.jobs_complete == 1)
        worker.jobs_failed, worker.jobs_retried = 2, 3
        await bench.put("later", "double", 1, delay_ms=60_000)
        await worker.record_health()
        text = (await bench.redis.get(QUEUE + keys.HEALTH_CHECK_SUFFIX)).decode()
        left_ms = await bench.redis.pttl(QUEUE + keys.HEALTH_CHECK_SUFFIX)

    assert text.endswith(" j_complete=1 j_failed=2 j_retried=3 j_ongoing=0 queued=1")
    assert 0 < left_ms <= 4_000


async def test_names_of_unknown_functions_are_collected_for_the_operator(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "HEARTBEAT_INTERVAL_S", 0.005)
    await bench.put("a", "of_a_newer_worker")
    async with bench.serving(double):
        await until(lambda: bench.redis.zscore(keys.UNKNOWN, "of_a_newer_worker"))

    assert await bench.scores() != {}
    assert [event.outcome for event in bench.events.of(TryEnded)] == ["function_unknown"]


@pytest.mark.parametrize("allowed", [True, False])
async def test_running_jobs_are_aborted_if_the_worker_allows_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    gate = Gate()
    await bench.put("a", "gated")
    async with bench.serving(double, gate.function(), allow_abort_jobs=allowed, poll_delay=0.01) as worker:
        await until(lambda: gate.running)
        await bench.redis.zadd(keys.ABORT, {"a": 10**13})
        if allowed:
            await until(lambda: worker.jobs_failed == 1)
        else:
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert "abort-watch" not in names
            assert "cron-clock" not in names
            assert "heartbeat" in names
        gate.open.set()


async def test_a_signal_stops_claiming_and_lets_running_jobs_end(bench: Bench) -> None:
    gate = Gate()
    signals: list[Signals] = []
    await bench.put("a", "gated")
    worker = bench.worker(double, gate.function(), job_completion_wait=60)
    worker.on_stop = signals.append
    main = asyncio.create_task(worker.async_run())
    await until(lambda: gate.running)
    worker.handle_sig(Signals.SIGTERM)
    # A claim that is on its way comes back first.
    await settle()
    await bench.put("late", "double", 1)
    await settle()
    assert not main.done()
    gate.open.set()
    await asyncio.wait_for(main, 10)
    await worker.close()

    assert await bench.result("a") == "through"
    assert list(await bench.scores()) == ["late"]
    assert bench.events.of(ShutdownStarted) == [ShutdownStarted("SIGTERM", 1, 60)]
    assert signals == [Signals.SIGTERM]
    assert bench.events.of(GracePeriodExpired) == []


async def test_a_signal_is_named_even_if_it_comes_as_a_number(bench: Bench) -> None:
    worker = bench.worker()
    worker.handle_sig(2)  # type: ignore[arg-type]

    assert not worker.allow_pick_jobs
    assert bench.events.of(ShutdownStarted) == [ShutdownStarted("SIGINT", 0, 0)]
    assert worker.handle_sig_wait_for_completion == worker.handle_sig


@pytest.mark.parametrize("how", ["grace period", "no grace period", "second signal"])
async def test_what_has_not_ended_is_handed_back_untouched(bench: Bench, how: str) -> None:
    grace_s = {"grace period": 0.01, "no grace period": 0}.get(how, 60)
    gate = Gate()
    await bench.put("a", "gated", delay_ms=-50_000)
    await bench.put("b", "gated", delay_ms=-40_000)
    scores = await bench.scores()
    worker = bench.worker(gate.function(max_tries=1), job_completion_wait=grace_s)
    main = asyncio.create_task(worker.async_run())
    await until(lambda: len(gate.running) == 2)
    worker.handle_sig(Signals.SIGTERM)
    if how == "second signal":
        await settle()
        assert not main.done()
        worker.handle_sig(Signals.SIGTERM)
    await asyncio.wait_for(main, 10)
    await worker.close()

    assert await bench.scores() == scores
    assert [await bench.marks(job_id) for job_id in "ab"] == [[], []]
    assert worker.jobs_retried == 2
    assert {event.outcome for event in bench.events.of(TryEnded)} == {"handed_back"}
    assert [event.running for event in bench.events.of(GracePeriodExpired)] == ([2] if grace_s < 1 else [])
    assert len(bench.events.of(ShutdownStarted)) == 1
    gate.open.set()
    await bench.burst(gate.function(max_tries=1))
    assert gate.tries == [1] * 4
    assert await bench.result("a") == "through"


async def test_suspects_that_wait_for_their_turn_are_handed_back(bench: Bench) -> None:
    gate = Gate()
    await bench.put("neighbour", "gated")
    await bench.put("suspect", "gated")
    await bench.redis.hset(keys.CRASHES, "suspect", 2)
    worker = bench.worker(gate.function())
    main = asyncio.create_task(worker.async_run())
    await until(lambda: gate.running == ["neighbour"])
    worker.handle_sig(Signals.SIGTERM)
    await asyncio.wait_for(main, 10)
    await worker.close()

    assert set(await bench.scores()) == {"neighbour", "suspect"}
    assert await bench.marks("suspect") == [keys.CRASHES]
    assert int(await bench.redis.hget(keys.CRASHES, "suspect")) == 2


async def test_jobs_that_cannot_be_handed_back_are_left_to_their_leases(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, without_trial: None
) -> None:
    monkeypatch.setattr(shutdown, "_DRAIN_S", 0.01)

    async def unavailable(self: Scripts, completions: Any) -> list[bool]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Scripts, "finish", unavailable)
    gate = Gate()
    await bench.put("a", "gated")
    worker = bench.worker(gate.function())
    main = asyncio.create_task(worker.async_run())
    await until(lambda: gate.running)
    left = list(worker.tasks.values())
    worker.handle_sig(Signals.SIGTERM)
    await asyncio.wait_for(main, 10)
    await worker.close()

    assert bench.events.of(JobsLeftBehind) == [JobsLeftBehind(1)]
    # Its lease ends by itself.
    assert keys.LEASED_SUFFIX in await bench.marks("a")
    await until(lambda: all(task.done() for task in left))


async def test_a_claim_that_is_on_its_way_when_a_signal_comes_is_let_come_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, without_trial: None
) -> None:
    claim, claimed, answered = Scripts.claim, asyncio.Event(), asyncio.Event()

    async def slow(self: Scripts, *arguments: Any) -> Claim:
        found = await claim(self, *arguments)
        claimed.set()
        await answered.wait()
        return found

    monkeypatch.setattr(Scripts, "claim", slow)
    await bench.put("a", "gated", delay_ms=-1_000)
    scores = await bench.scores()
    worker = bench.worker(Gate().function())
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(claimed.wait(), 10)
    main.cancel()
    await until(worker._stopping.is_set)
    assert not main.done()
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(main, 10)
    await worker.close()

    assert (await bench.scores(), await bench.marks("a")) == (scores, [])


async def test_a_claim_that_never_comes_back_does_not_keep_the_worker_from_ending(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "_LAST_CLAIM_S", 0.01)
    claiming = asyncio.Event()

    async def never(self: Scripts, *arguments: Any) -> Claim:
        claiming.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    monkeypatch.setattr(Scripts, "claim", never)
    worker = bench.worker()
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(claiming.wait(), 10)
    main.cancel()
    await asyncio.wait([main], timeout=10)
    assert main.done()
    assert "claimer" not in {task.get_name() for task in asyncio.all_tasks()}
    await worker.close()


async def test_a_loop_that_loses_a_cancellation_is_cancelled_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As redis-py does, if it is cancelled in the step in which its connection attempt ends."""
    monkeypatch.setattr(shutdown, "_CANCEL_AGAIN_S", 0.01)
    swallowed: list[bool] = []

    async def listen(self: Claimer) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.append(True)
        await asyncio.Event().wait()

    monkeypatch.setattr(Claimer, "listen", listen)
    async with bench.serving(double) as worker:
        pass

    assert swallowed == [True]
    assert not worker.tasks


async def test_a_signal_ends_a_worker_that_starts(bench: Bench) -> None:
    starting = asyncio.Event()
    shut_down: list[Any] = []

    async def on_startup(ctx: dict[str, Any]) -> None:
        starting.set()
        await asyncio.Event().wait()

    async def on_shutdown(ctx: dict[str, Any]) -> None:
        shut_down.append(ctx["redis"])

    worker = bench.worker(double, on_startup=on_startup, on_shutdown=on_shutdown)
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(starting.wait(), 10)
    worker.handle_sig(Signals.SIGTERM)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(main, 10)
    await worker.close()

    assert len(shut_down) == 1


async def test_closing_ends_a_worker_that_starts(bench: Bench) -> None:
    starting = asyncio.Event()

    async def on_startup(ctx: dict[str, Any]) -> None:
        starting.set()
        await asyncio.Event().wait()

    worker = bench.worker(double, on_startup=on_startup)
    main = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(starting.wait(), 10)
    await asyncio.wait_for(worker.close(), 10)

    with pytest.raises(asyncio.CancelledError):
        await main
    assert bench.events.of(ShutdownStarted) == [ShutdownStarted("SIGUSR1", 0, 0)]


async def test_closing_stops_a_worker_that_serves_and_closes_what_it_opened(bench: Bench) -> None:
    before = asyncio.all_tasks()
    worker = bench.worker()
    main = asyncio.create_task(worker.async_run())
    await until(lambda: bench.heartbeat_of(worker))
    pool = worker.pool.connection_pool
    assert pool._available_connections or pool._in_use_connections
    await asyncio.wait_for(worker.close(), 10)

    assert main.done()
    # fakeredis lets a blocking call that was cancelled run into its own timeout.
    left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
    assert [coroutine for coroutine in left if "AsyncFakeSocket" not in coroutine] == []
    assert "lease-renewer" not in {thread.name for thread in threading.enumerate()}
    assert not any(connection.is_connected for connection in pool._available_connections)
    assert worker._pool is None
    # A second time there is nothing to close.
    await asyncio.wait_for(worker.close(), 10)
    assert len(bench.events.of(ShutdownStarted)) == 1


async def test_a_worker_that_never_ran_is_closed_without_hooks(bench: Bench) -> None:
    called: list[Any] = []

    async def on_shutdown(ctx: dict[str, Any]) -> None:
        called.append(ctx)

    await bench.worker(double, on_shutdown=on_shutdown).close()
    assert called == []


async def test_a_closed_worker_can_run_again(bench: Bench) -> None:
    """As `arq --watch` has it."""
    gate = Gate()
    worker = bench.worker(double, gate.function(), job_completion_wait=60)
    first = asyncio.create_task(worker.async_run())
    await until(lambda: bench.heartbeat_of(worker))
    worker.handle_sig(Signals.SIGTERM)
    worker.handle_sig(Signals.SIGTERM)
    await asyncio.wait_for(first, 10)
    await worker.close()

    again = asyncio.create_task(worker.async_run())
    await bench.put("a", "gated")
    await until(lambda: gate.running)
    # Neither the first signal nor the second of the earlier life counts any more.
    worker.handle_sig(Signals.SIGTERM)
    await settle()
    assert not again.done()
    gate.open.set()
    await asyncio.wait_for(again, 10)
    await worker.close()
    assert await bench.result("a") == "through"


async def test_a_signal_ends_a_worker_that_starts_again(bench: Bench) -> None:
    starting = asyncio.Event()

    async def on_startup(ctx: dict[str, Any]) -> None:
        if worker.jobs_complete:
            starting.set()
            await asyncio.Event().wait()

    await bench.put("a", "double", 1)
    worker = bench.worker(double, burst=True, on_startup=on_startup)
    await asyncio.wait_for(worker.async_run(), 10)
    await worker.close()
    again = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(starting.wait(), 10)
    worker.handle_sig(Signals.SIGTERM)
    await asyncio.wait([again], timeout=10)

    assert again.cancelled()


async def test_a_renewer_that_dies_fails_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(pool: ArqRedis) -> Any:
        raise ValueError("no such server")

    monkeypatch.setattr(worker_module, "sync_twin", broken)
    gate = Gate()
    await bench.put("a", "gated")
    worker = bench.worker(gate.function())
    with pytest.raises(ValueError, match="no such server"):
        await asyncio.wait_for(worker.async_run(), 10)
    await worker.close()

    # Another worker takes the job at once.
    assert await bench.marks("a") == []
    assert list(await bench.scores()) == ["a"]


async def test_a_defect_in_a_loop_fails_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # The claim loop is idle, and need not be waited for.
    monkeypatch.setattr(shutdown, "_LAST_CLAIM_S", 1_000)

    async def broken(self: LeaseWorker) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(LeaseWorker, "record_health", broken)
    worker = bench.worker()
    with pytest.raises(ValueError, match="a defect"):
        await asyncio.wait_for(worker.async_run(), 10)
    await worker.close()


async def test_outages_stop_a_worker_from_claiming(bench: Bench) -> None:
    async def unavailable(ctx: dict[str, Any]) -> None:
        raise OutageError("MongoDB")

    for job_id in "abc":
        await bench.put(job_id, "unavailable")
    async with bench.serving(func(unavailable, name="unavailable")) as worker:
        await until(lambda: worker.breaker.is_open)

    assert len(await bench.scores()) == 3


async def test_a_redis_that_describes_itself_is_no_event(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[Any] = []

    async def describe(redis: ArqRedis, log: Callable[[str], None]) -> None:
        described.append(redis)

    monkeypatch.setattr(worker_module, "log_redis_info", describe)
    worker = await bench.burst()

    assert described == [worker.ctx["redis"]]
    assert bench.events.of(RedisInfoFailed) == []


async def test_a_redis_that_does_not_describe_itself_keeps_no_worker_from_starting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(redis: ArqRedis, log: Callable[[str], None]) -> None:
        raise RedisConnectionError("gone")

    monkeypatch.setattr(worker_module, "log_redis_info", lost)
    await bench.put("a", "double", 1)
    worker = await bench.burst()

    assert worker.jobs_complete == 1
    assert bench.events.of(RedisInfoFailed) == [RedisInfoFailed("ConnectionError")]


async def test_a_redis_that_is_gone_at_the_end_keeps_no_worker_from_closing(bench: Bench) -> None:
    worker = bench.worker()
    main = asyncio.create_task(worker.async_run())
    await until(lambda: bench.heartbeat_of(worker))
    worker.handle_sig(Signals.SIGTERM)
    await main

    def lost(*arguments: Any, **options: Any) -> None:
        raise RedisConnectionError("gone")

    worker.pool.pipeline = lost
    await worker.close()

    assert bench.events.of(SignOffFailed) == [SignOffFailed("ConnectionError")]
    assert worker._pool is None


async def test_without_a_pool_the_worker_connects_by_arqs_settings(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def create(settings: RedisSettings, **options: Any) -> ArqRedis:
        asked.extend([settings, options])
        return await bench.open()

    monkeypatch.setattr(worker_module, "create_bounded_pool", create)
    settings = RedisSettings(host="h")
    await bench.put("a", "double", 1)
    worker = await bench.burst(double, open_redis=None, redis_settings=settings, expires_extra_ms=7)

    assert worker.jobs_complete == 1
    assert asked == [
        settings,
        {
            "job_serializer": worker.job_serializer,
            "job_deserializer": worker.job_deserializer,
            "default_queue_name": QUEUE,
            "expires_extra_ms": 7,
        },
    ]


async def test_jobs_that_are_enqueued_through_a_given_pool_can_be_read(bench: Bench) -> None:
    pool = await bench.open()
    pool.job_serializer = pool.job_deserializer = None
    worker = LeaseWorker([double], redis_pool=pool, queues={QUEUE: 1}, handle_signals=False, burst=True)
    assert (pool.job_serializer, pool.job_deserializer) == (worker.job_serializer, worker.job_deserializer)
    await pool.enqueue_job("double", 4, _job_id="a", _queue_name=QUEUE)
    await asyncio.wait_for(worker.async_run(), 10)
    await worker.close()

    assert await bench.result("a") == 8


async def test_a_given_pool_keeps_its_own_serializers(bench: Bench) -> None:
    pool = await bench.open()
    own = pool.job_serializer, pool.job_deserializer
    worker = LeaseWorker([double], redis_pool=pool, handle_signals=False)

    assert (pool.job_serializer, pool.job_deserializer) == own
    await worker.close()


async def test_a_serializer_without_its_other_half_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="job_deserializer"):
        bench.worker(double, job_serializer=lambda message: b"")


@pytest.mark.parametrize("queues", [{}, ["queue"], "queue", {"queue": "many"}], ids=repr)
async def test_queues_of_a_wrong_form_are_refused(bench: Bench, queues: Any) -> None:
    with pytest.raises(ConfigurationError, match="queues must map"):
        bench.worker(double, queues=queues)


async def test_the_first_queue_is_arqs_queue_of_the_worker(bench: Bench) -> None:
    worker = bench.worker(double, queues={"first": 2, "second": 1})
    assert (worker.queue_name, worker.queues) == ("first", {"first": 2, "second": 1})

    worker = bench.worker(double, queues={"first": 2, "second": 1}, queue_name="second")
    assert (worker.queue_name, list(worker.queues)) == ("second", ["first", "second"])


async def test_a_queue_name_that_is_not_among_the_queues_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="queue_name is 'third', which queues does not name"):
        bench.worker(double, queues={"first": 2, "second": 1}, queue_name="third")


async def test_without_queues_arqs_queue_may_fill_all_slots(bench: Bench) -> None:
    worker = bench.worker(double, queues=None, queue_name="only", max_jobs=4)
    assert worker.queues == {"only": 4}


async def test_every_worker_has_an_id_of_its_own(bench: Bench) -> None:
    assert bench.worker().worker_id != bench.worker().worker_id


class Runner:
    """Whole workers run by `run`, as arq's command line does, in an event loop of the test's own."""

    def __init__(self, server: FakeServer) -> None:
        self.events = KeptEvents()
        self._server = server

    async def open(self) -> ArqRedis:
        return open_client(self._server)

    def worker(self, *functions: Any, **options: Any) -> LeaseWorker:
        defaults: dict[str, Any] = {"queues": {QUEUE: 10}, "poll_delay": 60, "open_redis": self.open, "burst": True}
        worker = LeaseWorker(functions, **(defaults | options))
        worker.events.subscribe(ExitRefused, self.events.send)
        worker.events.subscribe(TryEnded, self.events.send)
        return worker

    def put(self, function: str) -> None:
        async def enqueue() -> None:
            redis = await self.open()
            await Scripts(redis).enqueue([Enqueue("a", QUEUE, envelope(function))])
            await redis.aclose(close_connection_pool=True)

        asyncio.get_event_loop().run_until_complete(enqueue())


@pytest.fixture
def runner(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    monkeypatch.setattr(worker_module, "sync_twin", lambda pool: FakeRedis(server=server))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield Runner(server)
    # Removes signal handlers too.
    loop.close()
    asyncio.set_event_loop(None)


def test_a_worker_is_run_and_closed(runner: Runner) -> None:
    closed: list[bool] = []

    async def on_shutdown(ctx: dict[str, Any]) -> None:
        closed.append(True)

    async def fine(ctx: dict[str, Any]) -> None: ...

    runner.put("fine")
    worker = runner.worker(func(fine, name="fine"), on_shutdown=on_shutdown)
    worker.run()

    assert (worker.jobs_complete, closed) == (1, [True])


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_task_of_a_job_cannot_end_the_worker(runner: Runner, error: type[BaseException]) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def quits() -> None:
        raise error

    async def careless(ctx: dict[str, Any]) -> str:
        tasks.append(asyncio.create_task(quits()))
        await asyncio.wait(tasks)
        return "done"

    runner.put("careless")
    worker = runner.worker(func(careless, name="careless"))
    worker.run()

    assert worker.jobs_complete == 1
    assert runner.events.of(ExitRefused) == [ExitRefused(error.__name__)]
    with pytest.raises(error):
        tasks[0].result()


def test_a_job_that_stops_the_event_loop_does_not_end_the_worker(runner: Runner) -> None:
    async def stopping(ctx: dict[str, Any]) -> str:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        return "done"

    runner.put("stopping")
    worker = runner.worker(func(stopping, name="stopping"))
    worker.run()

    assert worker.jobs_complete == 1
    assert runner.events.of(ExitRefused) == [ExitRefused("loop.stop")]


def test_without_signal_handlers_a_stopped_event_loop_ends_the_worker(runner: Runner) -> None:
    async def stopping(ctx: dict[str, Any]) -> None:
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    runner.put("stopping")
    worker = runner.worker(func(stopping, name="stopping"), handle_signals=False)
    with pytest.raises(RuntimeError, match="Event loop stopped"):
        worker.run()

    assert [event.outcome for event in runner.events.of(TryEnded)] == ["handed_back"]
    assert runner.events.of(ExitRefused) == []


def test_without_signal_handlers_an_interrupt_ends_the_worker(runner: Runner) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def interrupt() -> None:
        raise KeyboardInterrupt

    async def long(ctx: dict[str, Any]) -> None:
        tasks.append(asyncio.create_task(interrupt()))
        await asyncio.Event().wait()

    runner.put("long")
    worker = runner.worker(func(long, name="long"), handle_signals=False)
    with pytest.raises(KeyboardInterrupt):
        worker.run()
    with pytest.raises(KeyboardInterrupt):
        tasks[0].result()

    # The job was handed back on the way out.
    assert [event.outcome for event in runner.events.of(TryEnded)] == ["handed_back"]
    assert runner.events.of(ExitRefused) == []


class NotedExit:
    """In place of the thread that ends the process: the calls in their order."""

    made: list["NotedExit"]

    def __init__(self, events: Events, grace_s: float, longest_job_s: float) -> None:
        self.calls: list[Any] = [("grace", grace_s)]
        self.longest_job_s = longest_job_s
        self.before_exit: Callable[[], None] | None = None
        self.made.append(self)

    def watch(self, *signals: Signals) -> None:
        self.calls.append(("watch", *signals))

    def allow(self, seconds: float) -> None: ...

    def ended(self, code: int) -> None:
        self.calls.append(("ended", code))


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[NotedExit]:
    NotedExit.made = []
    monkeypatch.setattr(worker_module, "ProcessExit", NotedExit)
    return NotedExit.made


def test_the_exit_of_a_process_that_belongs_to_the_worker_is_watched(
    runner: Runner, exits: list[NotedExit]
) -> None:
    runner.put("double")
    worker = runner.worker(func(double, timeout=7), owns_process=True, job_completion_wait=25, job_timeout=3)
    worker.run()

    (process_exit,) = exits
    assert process_exit.longest_job_s == 7
    assert process_exit.calls == [("grace", 25), ("watch", Signals.SIGTERM, Signals.SIGINT), ("ended", 0)]
    assert process_exit.before_exit is not None


@pytest.mark.parametrize("owns_process", [True, False])
def test_jobs_find_the_tasks_of_a_worker_unless_it_owns_the_process(
    runner: Runner, exits: list[NotedExit], owns_process: bool
) -> None:
    found: set[str] = set()

    async def looking(ctx: dict[str, Any]) -> None:
        found.update(task.get_name() for task in asyncio.all_tasks())

    runner.put("looking")
    runner.worker(func(looking, name="looking"), owns_process=owns_process).run()

    assert {"claimer", "heartbeat", "completer-1"} & found == (
        set() if owns_process else {"claimer", "heartbeat", "completer-1"}
    )


def test_a_process_that_fails_exits_with_1(runner: Runner, exits: list[NotedExit]) -> None:
    async def on_startup(ctx: dict[str, Any]) -> None:
        raise SystemExit("cannot start")

    worker = runner.worker(double, owns_process=True, on_startup=on_startup, handle_signals=False)
    with pytest.raises(SystemExit, match="cannot start"):
        worker.run()

    assert exits[0].calls == [("grace", 0), ("ended", 1)]


def test_the_exit_of_a_process_that_is_not_the_workers_own_is_left_alone(
    runner: Runner, exits: list[NotedExit]
) -> None:
    runner.worker(double).run()

    assert exits == []


def test_an_error_at_startup_ends_run_and_closes_the_worker(runner: Runner) -> None:
    async def on_startup(ctx: dict[str, Any]) -> None:
        sys.exit("cannot start")

    async def fine(ctx: dict[str, Any]) -> None: ...

    worker = runner.worker(func(fine, name="fine"), on_startup=on_startup)
    with pytest.raises(SystemExit, match="cannot start"):
        worker.run()

    assert worker._pool is None
    assert runner.events.of(ExitRefused) == []


def test_a_signal_before_the_worker_serves_ends_run_without_an_error(runner: Runner) -> None:
    worker: LeaseWorker

    async def on_startup(ctx: dict[str, Any]) -> None:
        worker.handle_sig(Signals.SIGTERM)
        await asyncio.Event().wait()

    async def fine(ctx: dict[str, Any]) -> None: ...

    worker = runner.worker(func(fine, name="fine"), on_startup=on_startup)
    worker.run()

    assert worker.main_task is not None
    assert worker.main_task.cancelled()
    assert worker._pool is None


async def test_a_job_whose_completion_was_never_stored_is_not_reported_as_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, without_trial: None
) -> None:
    monkeypatch.setattr(shutdown, "_DRAIN_S", 0.01)

    async def unavailable(self: Scripts, completions: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Scripts, "finish", unavailable)
    await bench.put("a", "double", 1)
    worker = bench.worker()
    main = asyncio.create_task(worker.async_run())
    await until(lambda: worker.tasks)
    worker.handle_sig(Signals.SIGTERM)
    await main
    await worker.close()
    await asyncio.sleep(0.01)
    # It runs again elsewhere when its lease ends.
    assert (worker.jobs_complete, bench.events.of(TryEnded)) == (0, [])


@pytest.mark.parametrize("when", ["last job of a burst", "grace period"])
async def test_a_renewer_that_dies_once_claiming_is_over_fails_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    die = threading.Event()

    class Dying:
        def register_script(self, source: str) -> None:
            die.wait(10)
            raise ValueError("a defect")

    monkeypatch.setattr(worker_module, "sync_twin", lambda pool: Dying())
    gate = Gate()
    await bench.put("a", "gated")
    burst = when == "last job of a burst"
    worker = bench.worker(gate.function(), burst=burst, max_burst_jobs=1, job_completion_wait=60)
    main = asyncio.create_task(worker.async_run())
    await until(lambda: gate.running)
    if not burst:
        worker.handle_sig(Signals.SIGTERM)
    await asyncio.sleep(0.05)
    die.set()
    await asyncio.wait([main], timeout=1)
    assert main.done()
    with pytest.raises(ValueError, match="a defect"):
        await main


async def test_the_earlier_name_of_queues_is_refused_instead_of_ignored(redis: ArqRedis) -> None:
    with pytest.raises(ConfigurationError, match="lanes is now queues"):
        LeaseWorker([], redis_pool=redis, handle_signals=False, lanes=["arq:queue", "arq:queue:bulk"])


async def test_a_heartbeat_counts_no_more_slots_than_its_queues_have(bench: Bench) -> None:
    async with bench.serving(queues={"queue": 2}, max_jobs=10) as worker:
        heartbeat = await bench.heartbeat_of(worker)
        assert heartbeat is not None
        assert heartbeat.slots == 2


async def test_a_worker_does_not_serve_while_a_key_of_ours_belongs_to_another_program(bench: Bench) -> None:
    """Its hooks do not run either: one for the end would meet what the one for the start has not made."""
    called: list[str] = []

    async def note(ctx: dict[str, Any]) -> None:
        called.append("hook")

    await bench.redis.set(keys.CRASHES, "foreign")
    worker = bench.worker(on_startup=note, on_shutdown=note)
    with pytest.raises(ConfigurationError, match="the key arq:crashes in Redis holds string, not hash"):
        await worker.main()
    await worker.close()
    assert called == []
    await bench.redis.delete(keys.CRASHES)
    async with bench.serving():
        assert await bench.result(await bench.put("a", "double", 1)) == 2


async def test_a_worker_whose_claims_fail_says_so_until_they_succeed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, without_trial: None
) -> None:
    monkeypatch.setattr(worker_module, "HEARTBEAT_INTERVAL_S", 0.005)
    refused = NoPermissionError("this user has no permissions to run the 'evalsha' command")

    async def refuse_claims(self: Scripts, *arguments: Any) -> Claim:
        raise refused

    async def reason() -> str:
        heartbeat = await bench.heartbeat_of(worker)
        return heartbeat.why_not if heartbeat else ""

    async def is_ready() -> bool:
        heartbeat = await bench.heartbeat_of(worker)
        return heartbeat is not None and heartbeat.ready

    with monkeypatch.context() as patched:
        patched.setattr(Scripts, "claim", refuse_claims)
        worker = bench.worker()
        main = asyncio.create_task(worker.async_run())
        assert await until(reason) == "claims fail (NoPermissionError)"
    await until(is_ready)
    await worker.close()
    await asyncio.gather(main, return_exceptions=True)
