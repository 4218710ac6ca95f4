import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakeredis import FakeRedis, FakeServer
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.redis_scripts.script_bench import ScriptBench
from tests.support.waiting import until
from tests.unit.engine.conftest import KeptEvents, open_client, with_replaced
from worker.engine import lease_renewer
from worker.engine.events import EventLoopBlocked, RenewalFailed, RenewalsHeldUp
from worker.engine.lease_renewer import Lease, LeaseRenewer
from worker.queue import keys
from worker.queue.script_source import script_source

LEASE_S = 10.0
A, B, C = (Lease(name, "queue", "token") for name in (b"a", b"b", b"c"))


class Connection:
    """A connection whose script notes the leases of each call, and answers as the test says."""

    def __init__(self) -> None:
        self.calls: list[list[Lease]] = []
        self.answers: deque[list[bytes] | BaseException] = deque()
        self.arguments: list[tuple[Sequence[str], int]] = []
        self.source = ""
        self.closed = 0

    def connect(self) -> Any:
        return self

    def register_script(self, source: str) -> Callable[..., list[bytes]]:
        self.source = source
        return self._renew

    # The parameters are named as redis-py names them.
    def _renew(self, keys: Sequence[str], args: list[Any]) -> list[bytes]:
        lease_ms, *values = args
        self.arguments.append((keys, lease_ms))
        self.calls.append([Lease(*values[start : start + 3]) for start in range(0, len(values), 3)])
        answer: list[bytes] | BaseException = self.answers.popleft() if self.answers else []
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1

    async def rounds(self, number: int = 2) -> None:
        """Wait for further calls; the second one is certain to have begun after this was asked for."""
        seen = len(self.calls)
        await until(lambda: len(self.calls) >= seen + number)


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    # A round every 5 ms, and yet leases that last as long as a test on a busy machine may take.
    monkeypatch.setattr(lease_renewer, "_RENEWALS_PER_LEASE", LEASE_S / 0.005)


@pytest.fixture
def connection() -> Connection:
    return Connection()


@asynccontextmanager
async def renewing(
    connect: Callable[[], Any],
    events: KeptEvents,
    *leases: Lease,
    take_if_stuck: Callable[[float, int], bool] = lambda silent_s, thread: False,
) -> AsyncIterator[tuple[LeaseRenewer, list[list[Lease]]]]:
    """A renewer that holds leases, and the losses that it has reported."""
    lost: list[list[Lease]] = []
    renewer = LeaseRenewer(connect, LEASE_S, lost.append, events, take_if_stuck)
    for lease in leases:
        renewer.hold(lease)
    try:
        yield renewer, lost
    finally:
        await renewer.close()


async def test_every_held_lease_is_renewed_in_one_call(connection: Connection, events: KeptEvents) -> None:
    async with renewing(connection.connect, events, A, B, C) as (_, lost):
        await connection.rounds(3)

    assert connection.calls[-1] == [A, B, C]
    assert connection.source == script_source("renew")
    assert connection.arguments[-1] == ((keys.LEASES, keys.CLOCK, keys.CRASHES), 10_000)
    assert (lost, events.sent) == ([], [])


async def test_a_released_lease_is_renewed_no_more_and_the_others_are(
    connection: Connection, events: KeptEvents
) -> None:
    async with renewing(connection.connect, events, A, B) as (renewer, _):
        await connection.rounds()
        renewer.release(b"a", "token")
        await connection.rounds()
        assert connection.calls[-1] == [B]


async def test_a_lease_that_is_held_later_is_renewed_too(connection: Connection, events: KeptEvents) -> None:
    async with renewing(connection.connect, events, A) as (renewer, _):
        await connection.rounds()
        renewer.hold(C)
        await connection.rounds()
        assert connection.calls[-1] == [A, C]


async def test_a_job_claimed_again_is_renewed_under_its_new_token_alone(
    connection: Connection, events: KeptEvents
) -> None:
    again = Lease(b"a", "other queue", "new token")
    async with renewing(connection.connect, events, A, B) as (renewer, _):
        await connection.rounds()
        renewer.hold(again)
        await connection.rounds()
        assert connection.calls[-1] == [again, B]


async def test_a_release_with_an_old_token_releases_nothing(connection: Connection, events: KeptEvents) -> None:
    again = A._replace(token="new token")
    async with renewing(connection.connect, events, A) as (renewer, _):
        renewer.hold(again)
        renewer.release(b"a", "token")
        await connection.rounds()
        assert connection.calls[-1] == [again]


async def test_a_release_of_what_is_not_held_changes_nothing(connection: Connection, events: KeptEvents) -> None:
    async with renewing(connection.connect, events, A) as (renewer, _):
        renewer.release(b"b", "token")
        renewer.release(b"a", "token")
        renewer.release(b"a", "token")
        renewer.hold(B)
        await connection.rounds()
        assert connection.calls[-1] == [B]


@pytest.mark.parametrize("number", [4, 5])
async def test_more_leases_than_one_call_takes_are_all_renewed(
    connection: Connection, events: KeptEvents, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(lease_renewer, "_PER_CALL", 2)
    leases = [Lease(b"%d" % position, "queue", "token") for position in range(number)]
    parts = [leases[:2], leases[2:4], *([leases[4:]] if number > 4 else [])]
    async with renewing(connection.connect, events, *leases):
        await until(lambda: connection.calls[-len(parts) :] == parts)

    assert all(len(call) <= 2 for call in connection.calls)


async def test_lost_leases_are_reported_in_the_event_loop_with_their_tokens(
    connection: Connection, events: KeptEvents
) -> None:
    connection.answers.append([b"c", b"a"])
    threads = []
    renewer = LeaseRenewer(
        connection.connect,
        LEASE_S,
        lambda leases: threads.append((threading.get_ident(), leases)),
        events,
        lambda silent_s, thread: False,
    )
    for lease in (A, B, C):
        renewer.hold(lease)
    try:
        await until(lambda: threads)
        await connection.rounds()
    finally:
        await renewer.close()

    assert threads == [(threading.get_ident(), [A, C])]


@pytest.mark.parametrize("error", [RedisConnectionError("gone"), OSError("gone"), TimeoutError()], ids=repr)
async def test_renewing_goes_on_after_an_error_of_redis(
    connection: Connection, events: KeptEvents, error: Exception
) -> None:
    connection.answers.extend([error, error])
    async with renewing(connection.connect, events, A, B) as (renewer, lost):
        await until(lambda: len(connection.calls) >= 4)
        assert not renewer.failed.done()

    assert connection.calls[-1] == [A, B]
    assert events.sent == [RenewalFailed(type(error).__name__)] * 2
    assert lost == []


@pytest.mark.parametrize(
    ("error", "why"), [(ResponseError("NOPERM no"), "NOPERM"), (AuthenticationError("no"), "AuthenticationError")]
)
async def test_a_redis_that_refuses_renewals_is_reported_once_until_it_takes_them(
    connection: Connection, events: KeptEvents, error: Exception, why: str
) -> None:
    problem = f"leases are not renewed ({why})"
    async with renewing(connection.connect, events, A) as (renewer, _):
        for _ in range(2):
            connection.answers.extend([error] * 1_000)
            await until(lambda: renewer.problem == problem)
            connection.answers.clear()
            await until(lambda: not renewer.problem)

    assert events.sent == [RenewalFailed(type(error).__name__, refused=True)] * 2


async def test_calls_are_smaller_after_an_error_and_grow_again(
    connection: Connection, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewer, "_PER_CALL", 4)
    monkeypatch.setattr(lease_renewer, "_LEAST_PER_CALL", 1)
    # Each call seems to take no time.
    monkeypatch.setattr(lease_renewer, "time", with_replaced(time, monotonic=lambda: 0.0))
    leases = [Lease(b"%d" % position, "queue", "token") for position in range(4)]
    connection.answers.extend([TimeoutError(), TimeoutError()])
    async with renewing(connection.connect, events, *leases):
        await until(lambda: len(connection.calls) >= 8)

    sizes = [len(call) for call in connection.calls if len(connection.calls[0]) == 4]
    assert sizes[:5] == [4, 2, 1, 2, 1]
    assert 4 in sizes[5:]


async def test_a_defect_that_ends_the_thread_fails_the_future(connection: Connection, events: KeptEvents) -> None:
    connection.answers.append(ValueError("a defect"))
    async with renewing(connection.connect, events, A) as (renewer, _):
        with pytest.raises(ValueError, match="a defect"):
            await asyncio.wait_for(renewer.failed, 10)
        calls = len(connection.calls)

    assert len(connection.calls) == calls


async def test_a_connection_that_cannot_be_made_fails_the_future(events: KeptEvents) -> None:
    def broken() -> Any:
        raise ValueError("no such server")

    async with renewing(broken, events) as (renewer, _):
        with pytest.raises(ValueError, match="no such server"):
            await asyncio.wait_for(renewer.failed, 10)


def renewers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lease-renewer"]


async def test_closing_ends_the_thread_and_its_connection(connection: Connection, events: KeptEvents) -> None:
    async with renewing(connection.connect, events, A) as (renewer, _):
        await connection.rounds()
        (thread,) = renewers()
        # A process that ends without closing does not wait for it.
        assert thread.daemon

    assert renewers() == []
    assert connection.closed == 1
    # What waits for a failure waits no longer.
    assert renewer.failed.cancelled()


async def test_the_event_loop_runs_while_closing_waits_for_the_thread(
    connection: Connection, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def slow(keys: list[str], args: list[Any]) -> list[bytes]:
        connection.calls.append([])
        assert answered.wait(10)
        return []

    monkeypatch.setattr(connection, "_renew", slow)
    renewer = LeaseRenewer(connection.connect, LEASE_S, lambda leases: None, events, lambda silent_s, thread: False)
    renewer.hold(A)
    await until(lambda: connection.calls)
    closing = asyncio.create_task(renewer.close())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not closing.done()
    answered.set()
    await asyncio.wait_for(closing, 10)
    assert renewers() == []


class NotedEvent(threading.Event):
    """An event that notes for how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return super().wait(timeout)


async def test_leases_are_renewed_four_times_within_their_length(
    connection: Connection, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rounds of their real length.
    monkeypatch.undo()
    stop = NotedEvent()
    monkeypatch.setattr(lease_renewer, "threading", with_replaced(threading, Event=lambda: stop))
    async with renewing(connection.connect, events, A):
        await until(lambda: stop.waits)

    assert stop.waits == [LEASE_S / 4]


async def test_a_worker_that_ends_does_not_wait_for_the_next_round(
    connection: Connection, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewer, "_RENEWALS_PER_LEASE", 0.01)
    async with renewing(connection.connect, events, A):
        pass

    assert connection.calls == []


class Clock:
    """The time as the renewer's thread and the event loop see it; it goes on only when a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease_renewer, "time", with_replaced(time, monotonic=clock))
    return clock


async def test_without_leases_redis_is_not_asked(connection: Connection, events: KeptEvents, clock: Clock) -> None:
    async with renewing(connection.connect, events):
        # Each round reads the clock, and has the event loop read it.
        await until(lambda: clock.readings >= 10)

    assert connection.calls == []


def compute_until(condition: Callable[[], bool]) -> None:
    """Hold the event loop's thread, as a job that computes does."""
    deadline = time.monotonic() + 10
    while not condition():
        time.sleep(0.001)
        assert time.monotonic() < deadline


def block(connection: Connection, rounds: int = 3) -> None:
    """Hold the event loop's thread for some rounds of the renewer."""
    calls = len(connection.calls)
    compute_until(lambda: len(connection.calls) >= calls + rounds)


async def test_a_blocked_event_loop_is_reported_once_with_its_place(
    connection: Connection, events: KeptEvents, clock: Clock
) -> None:
    async with renewing(connection.connect, events, A):
        await connection.rounds()
        clock.now += 5.0
        block(connection, rounds=5)

    (event,) = events.sent
    assert isinstance(event, EventLoopBlocked)
    assert event.seconds == 5.0
    assert "in compute_until" in event.stack
    assert "in test_a_blocked_event_loop_is_reported_once_with_its_place" in event.stack


async def test_a_blocked_event_loop_keeps_its_leases(
    connection: Connection, events: KeptEvents, clock: Clock
) -> None:
    async with renewing(connection.connect, events, A, B):
        await connection.rounds()
        clock.now += 60
        block(connection)
        assert connection.calls[-1] == [A, B]


async def test_a_loop_that_was_freed_and_is_blocked_again_is_reported_again(
    connection: Connection, events: KeptEvents, clock: Clock
) -> None:
    async with renewing(connection.connect, events, A):
        await connection.rounds()
        for expected in (1, 2):
            clock.now += 60
            block(connection)
            assert len(events.of(EventLoopBlocked)) == expected
            # The loop is seen again, and the round after that knows.
            await connection.rounds(3)

    assert len(events.of(EventLoopBlocked)) == 2


async def test_a_short_pause_is_not_called_a_blockade(
    connection: Connection, events: KeptEvents, clock: Clock
) -> None:
    async with renewing(connection.connect, events, A):
        for _ in range(5):
            await connection.rounds()
            clock.now += 4.9
            block(connection)

    assert events.sent == []


async def test_with_long_leases_a_loop_may_be_silent_for_two_rounds(
    connection: Connection, events: KeptEvents, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rounds of 5 ms count as long: only then do two of them outlast the usual limit.
    monkeypatch.setattr(lease_renewer, "_BLOCKED_AFTER_S", 0.001)
    async with renewing(connection.connect, events, A):
        await connection.rounds()
        clock.now += 0.009
        block(connection)
        assert events.sent == []
        clock.now += 0.002
        block(connection)

    (event,) = events.of(EventLoopBlocked)
    assert event.seconds == pytest.approx(0.011)


async def test_the_loop_loses_the_leases_of_a_worker_that_is_stuck(
    connection: Connection, events: KeptEvents, clock: Clock
) -> None:
    looks: list[tuple[float, int]] = []

    def take_if_stuck(silent_s: float, thread: int) -> bool:
        looks.append((silent_s, thread))
        return silent_s >= 60

    async with renewing(connection.connect, events, A, B, take_if_stuck=take_if_stuck) as (renewer, lost):
        await connection.rounds()
        clock.now += 60
        compute_until(lambda: looks[-1][0] >= 60)
        await until(lambda: lost)
        calls = len(connection.calls)
        renewer.hold(C)
        await connection.rounds()

    assert {thread for _, thread in looks} == {threading.get_ident()}
    assert lost[0] == [A, B]
    # What is claimed from then on is renewed as before.
    assert connection.calls[calls:][-1] == [C]


async def test_a_round_that_comes_late_is_reported(
    connection: Connection, events: KeptEvents, clock: Clock
) -> None:
    async with renewing(connection.connect, events, A):
        await connection.rounds()
        # As after a call that held the interpreter's lock, or a SIGSTOP.
        clock.now += 0.51 * LEASE_S
        await connection.rounds()

    (event,) = events.of(RenewalsHeldUp)
    assert event.seconds == pytest.approx(0.51 * LEASE_S, abs=0.01)


async def test_a_job_that_held_the_renewer_up_may_end_before_it_is_interrupted(
    connection: Connection, events: KeptEvents, clock: Clock
) -> None:
    async with renewing(connection.connect, events, A) as (_, lost):
        await connection.rounds()
        clock.now += LEASE_S
        connection.answers.extend([[b"a"]])
        await until(lambda: not connection.answers)
        await connection.rounds()
        assert lost == []
        connection.answers.extend([[b"a"]])
        await until(lambda: lost)

    assert lost == [[A]]


async def test_leases_are_renewed_in_redis_and_losses_noticed(server: FakeServer, events: KeptEvents) -> None:
    redis = open_client(server)
    bench = ScriptBench(redis)
    await bench.enqueue("kept", "lost")
    jobs = (await bench.claim()).jobs
    leases = [Lease(job.job_id, job.queue, "token") for job in jobs]
    first_end = await redis.zscore(bench.queue + keys.LEASED_SUFFIX, bench.id("kept"))
    await redis.hset(keys.LEASES, bench.id("lost"), "another token")

    async def renewed() -> bool:
        # Ten seconds from now are before the minute that was claimed.
        return bool(await redis.zscore(bench.queue + keys.LEASED_SUFFIX, bench.id("kept")) < first_end)

    async with renewing(lambda: FakeRedis(server=server), events, *leases) as (_, lost):
        await until(lambda: lost)
        await until(renewed)

    assert {lease for call in lost for lease in call} == {
        lease for lease in leases if lease.job_id == bench.id("lost").encode()
    }
    assert events.sent == []
    await redis.aclose(close_connection_pool=True)


async def test_the_loop_is_watched_between_the_renewals_of_long_leases(
    connection: Connection, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_renewer, "_RENEWALS_PER_LEASE", LEASE_S / 3_600)
    monkeypatch.setattr(lease_renewer, "LONGEST_WITHOUT_LOOK_S", 0.005)
    looks: list[float] = []

    def take_if_stuck(silent_s: float, thread: int) -> bool:
        looks.append(silent_s)
        return False

    async with renewing(connection.connect, events, A, take_if_stuck=take_if_stuck):
        await until(lambda: len(looks) > 3)

    assert connection.calls == []
