from datetime import UTC, datetime

import pytest

from worker.commands.trends import Trends, sparkline
from worker.queue.heartbeats import Heartbeat
from worker.queue.stats import QueueState, QueueStats

NOW = datetime(2026, 6, 30, tzinfo=UTC)


def state(waiting: int = 0, **ended: int) -> QueueStats:
    workers = [
        Heartbeat(
            worker=name, host="h", pid=1, ready=True, queues=[], slots=1, running=0, complete=count, retried=0,
            failed=1, started_at=NOW, at=NOW,
        )
        for name, count in ended.items()
    ]  # fmt: skip
    return QueueStats(
        queues={"arq:queue": QueueState(waiting, 0, 0, 0.0)},
        dead=0,
        workers=[(worker, 0.0) for worker in workers],
        unknown_functions=[],
        batches=[],
        more_batches=0,
    )


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([0, 0], "▁▁"), ([0, 1, 700], "▁▂█"), ([7, 0, 3.5], "█▁▅"), ([5], "█")],
)
def test_a_sparkline_begins_at_zero_and_ends_at_the_greatest(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars


def test_the_lengths_of_a_queue_are_kept_for_the_room_there_is() -> None:
    trends = Trends()
    for waiting in range(30):
        trends.add(state(waiting), at_s=waiting)
    shown = trends.waiting()["arq:queue"]
    assert (len(shown), shown[-1]) == (18, "█")


def test_heartbeats_from_before_a_fail_over_are_no_rate() -> None:
    trends = Trends()
    for at_s, ended in ((0, 0), (2, 10), (4, 1), (6, 11)):
        trends.add(state(a=ended), at_s=at_s)
    assert trends.ended() == "jobs ended per second: 0.5  █▁▂"


def test_the_rate_counts_what_each_known_worker_has_ended_since() -> None:
    trends = Trends()
    trends.add(state(a=100), at_s=10)
    assert trends.ended() == "jobs ended per second: not known yet"
    # The second worker ended its 5,000 before it was seen.
    trends.add(state(a=110, b=5_000), at_s=12)
    assert trends.ended() == "jobs ended per second: 5.0  █"
    trends.add(state(b=5_002), at_s=14)
    assert trends.ended() == "jobs ended per second: 1.0  █▃"
