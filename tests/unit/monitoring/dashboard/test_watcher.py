import itertools
from datetime import UTC, datetime

from worker.monitoring.dashboard.watcher import Watcher
from worker.queue.heartbeats import Heartbeat
from worker.queue.stats import QueueState, QueueStats

AT = datetime(2026, 11, 28, tzinfo=UTC)


def watcher(interval_s: float, *seen: int) -> Watcher:
    """Return one that sees these numbers of jobs, both waiting and ended; without any, ten more each time."""
    numbers = iter(seen) if seen else itertools.count(10, 10)

    async def read() -> QueueStats:
        number = next(numbers)
        heartbeat = Heartbeat(
            worker="w", host="vm", pid=1, ready=True, queues=["q"], slots=1, running=0, complete=number, retried=0,
            failed=0, started_at=AT, at=AT,
        )  # fmt: skip
        return QueueStats(
            queues={"q": QueueState(waiting=number, deferred=0, in_flight=0, oldest_wait_s=0)},
            dead=0,
            workers=[(heartbeat, 0.0)],
            unknown_functions=[],
            batches=[],
            more_batches=0,
        )

    return Watcher(read, interval_s)


async def test_looks_of_the_watcher_make_the_charts() -> None:
    watching = watcher(interval_s=0)

    looks = [await watching.look() for _ in range(200)]

    assert [look.number for look in looks] == list(range(1, 201))
    assert list(watching.waiting["q"]) == [float(number) for number in range(510, 2_001, 10)]
    assert len(watching.ended_per_s) == 150
    assert min(watching.ended_per_s) > 0


async def test_what_a_worker_had_counted_before_the_first_look_is_no_rate() -> None:
    watching = watcher(interval_s=0)

    await watching.look()

    assert list(watching.ended_per_s) == [0.0]


async def test_heartbeats_from_before_a_fail_over_are_no_rate() -> None:
    watching = watcher(0, 0, 10, 1, 10)

    for _ in range(4):
        await watching.look()

    assert [rate > 0 for rate in watching.ended_per_s] == [False, True, False, False]


async def test_a_look_of_a_page_between_two_others_adds_no_point_and_no_rate_of_an_instant() -> None:
    watching = watcher(interval_s=1_000)

    looks = [await watching.look(), await watching.look()]

    # It is shown, but it is in no chart.
    assert [look.stats.queues["q"].waiting for look in looks if look.stats] == [10, 20]
    assert list(watching.waiting["q"]) == [10.0]
    assert list(watching.ended_per_s) == [0.0]
