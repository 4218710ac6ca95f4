import io
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from worker.commands.queue_tables import lines, show
from worker.queue.batches import BatchProgress
from worker.queue.heartbeats import Heartbeat
from worker.queue.stats import QueueStats

CREATED = datetime(2026, 6, 30, tzinfo=UTC)


def shown(*batches: BatchProgress, more: int = 0, width: int = 80) -> list[str]:
    state = QueueStats(
        queues={}, dead=0, workers=[], unknown_functions=[], batches=list(batches), more_batches=more
    )
    out = io.StringIO()
    show(state, Console(file=out, width=width, highlight=False, soft_wrap=True))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def batch(batch_id: str, **values: Any) -> BatchProgress:
    return BatchProgress(**{"batch_id": batch_id, "state": "sealed", "total": 0, "created_at": CREATED, **values})


def test_each_running_batch_has_its_jobs_and_outcomes() -> None:
    lines = shown(batch("import-7", total=1_200, complete=1_000, dead=2), batch("empty", state="open"), more=1_000)

    start = next(number for number, line in enumerate(lines) if line.startswith("batch"))
    assert [line.split() for line in lines[start:]] == [
        ["batch", "state", "jobs", "done", "outcomes"],
        ["import-7", "sealed", "1,200", "1,002", "complete", "1,000"],
        ["dead", "2"],
        ["empty", "open", "0", "0"],
        ["and", "1,000", "more", "batches"],
    ]


def test_the_longest_batch_fits_80_columns_on_every_terminal() -> None:
    longest = batch(
        "x" * 100,
        state="cancelling",
        total=100_000_000,
        complete=99_999_999,
        dropped=99_999_999,
        lost=99_999_999,
    )

    for width in (80, 200):
        lines = shown(longest, width=width)
        assert max(map(len, lines)) <= 80
        assert sum(line.count("x") for line in lines) == 100
        assert any("cancelling" in line and "100,000,000" in line for line in lines)
        assert any("dropped 99,999,999" in line for line in lines)


def test_the_rate_of_each_queue_is_said_once_for_all_workers() -> None:
    at = datetime(2026, 6, 30, tzinfo=UTC)
    beats = [
        Heartbeat(
            worker=name, host="vm", pid=1, ready=True, queues=[], slots=1, running=0, complete=0, retried=0,
            failed=0, started_at=at, at=at, rate_limits=limits,
        )
        for name, limits in (("a", {"q:cms": 500.0}), ("b", {"q:cms": 500.0, "q\x1b": 0.5}), ("c", {}))
    ]  # fmt: skip
    state = QueueStats({}, 0, [(beat, 0.0) for beat in beats], [], [], 0)

    assert [line for line in lines(state) if "QUEUE_RATES" in line] == [
        "q\\x1b: at most 0.5 jobs start in a second (QUEUE_RATES)",
        "q:cms: at most 500 jobs start in a second (QUEUE_RATES)",
    ]


def test_without_batches_nothing_is_said_of_them() -> None:
    assert shown()[-1] == "no worker is running"
