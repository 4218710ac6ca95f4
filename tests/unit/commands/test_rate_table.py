import io

from rich.console import Console

from worker.commands.queue_tables import show
from worker.queue.histograms import BUCKETS, bucket_of
from worker.queue.rates import JobKey, JobTally, Window
from worker.queue.stats import QueueStats


def tally(ended: int, seconds: float) -> JobTally:
    buckets = [0] * BUCKETS
    buckets[bucket_of(seconds)] = ended
    return JobTally({"complete": ended}, list(buckets), list(buckets))


def shown(*jobs: dict[JobKey, JobTally]) -> list[str]:
    """Return the lines of windows of 1, 5 and 60 minutes with these jobs."""
    windows = [Window(s, float(s), found) for s, found in zip((60, 300, 3_600), jobs, strict=True)]
    state = QueueStats(
        queues={}, dead=0, workers=[], unknown_functions=[], batches=[], more_batches=0, windows=windows
    )
    out = io.StringIO()
    show(state, Console(file=out, width=200, highlight=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_function_has_its_rates_and_the_times_of_the_shortest_window_with_jobs() -> None:
    key = ("arq:queue", "ingest")
    lines = shown({}, {key: tally(600, 0.015)}, {key: tally(3_600, 150)})

    start = next(number for number, line in enumerate(lines) if line.startswith("jobs ended"))
    assert lines[start].split()[-4:] == ["pick-up", "p95", "run", "p95"]
    row = lines[start + 1].split()
    assert row == ["ingest", "0.0", "2.0", "1.0", *("15", "ms", "20", "ms") * 2]


def test_long_times_are_in_seconds_and_minutes() -> None:
    jobs = {("arq:queue", "ingest"): tally(10, 1.5), ("arq:queue", "open"): tally(10, 150.0)}
    text = "\n".join(shown(jobs, jobs, jobs))
    assert "1.5 s" in text
    assert "2 min" in text


def test_the_queue_is_named_where_a_function_is_on_several() -> None:
    on_two = {("arq:queue", "ingest"): tally(1, 1), ("arq:queue:bulk", "ingest"): tally(1, 1)}
    text = " ".join(shown(on_two, on_two, on_two))
    assert text.count("(arq:queue)") == text.count("(arq:queue:bulk)") == 1


def test_what_did_not_end_is_not_shown() -> None:
    waits = {("arq:queue", "other"): JobTally({"function_unknown": 7})}
    assert not any("other" in line for line in shown(waits, waits, waits))


def test_the_table_fits_80_columns_and_forged_names_control_nothing() -> None:
    jobs = {("arq:queue", "\x1b[31m" + "f" * 100): tally(10**7, 0.015)}
    lines = shown(jobs, jobs, jobs)
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)
