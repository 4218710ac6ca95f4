from tests.support.captured_lines import capture_logs
from tests.support.ended_tries import Ended, tallies
from worker.monitoring.throughput import ThroughputLog


def test_a_minute_has_one_line_with_what_ended_and_how() -> None:
    made = tallies(Ended())
    log = ThroughputLog(made)
    for outcome in ("complete", "complete", "dead", "retried"):
        made.try_ended(Ended(outcome=outcome))
    with capture_logs() as lines:
        log.log(60.0)

    (line,) = lines
    assert line.pop("event")
    assert line == {
        "log_level": "info",
        "action": "throughput",
        "jobs": 3,
        "per_second": 0.1,
        "complete": 2,
        "dead": 1,
        "retried": 1,
    }


def test_an_idle_minute_is_silent() -> None:
    log = ThroughputLog(tallies(Ended()))
    with capture_logs() as lines:
        log.log(60.0)
    assert lines == []
