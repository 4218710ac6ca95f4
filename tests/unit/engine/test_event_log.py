import inspect
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.logged_events import logged_events
from tests.unit.engine.conftest import finished
from worker.engine import events
from worker.engine.events import JobFinished, JobOutcome

# Each kind of event with a line: an example, its level, and all that the line holds beside its text.
LINES: list[tuple[object, str, dict[str, Any]]] = [
    (
        events.HookFailed("after_job_end", "job", "TransientError", "busy", "place"),
        "error",
        {
            "action": "hook_failed",
            "hook": "after_job_end",
            "job_id": "job",
            "error": "TransientError",
            "message": "busy",
            "stack": "place",
        },
    ),
    (events.ReadinessChanged("reason"), "error", {"action": "not_ready", "reason": "reason"}),
    (events.ReadinessChanged(""), "info", {"action": "ready_again"}),
    (events.LivenessNotShown("disk full"), "warning", {"action": "liveness_not_shown", "error": "disk full"}),
    (events.ClaimRecovered(3), "info", {"action": "claim_recovered", "jobs": 3}),
    (events.CompletionRefused("job"), "warning", {"action": "completion_refused", "job_id": "job"}),
    (
        events.CompletionDropped("job", "ResponseError", "WRONGTYPE"),
        "error",
        {"action": "completion_dropped", "job_id": "job", "error": "ResponseError", "code": "WRONGTYPE"},
    ),
    (events.BreakerChanged(is_open=True), "error", {"action": "circuit_breaker_opened"}),
    (events.BreakerChanged(is_open=False), "info", {"action": "circuit_breaker_closed"}),
    (
        events.RedisLost("ReadOnlyError", "READONLY"),
        "error",
        {"action": "redis_lost", "error": "ReadOnlyError", "code": "READONLY"},
    ),
    (events.RedisBack(4), "info", {"action": "redis_back", "failed_calls": 4}),
    (events.RedisInfoFailed("TimeoutError"), "warning", {"action": "redis_info_failed", "error": "TimeoutError"}),
    (events.RenewalFailed("TimeoutError"), "debug", {"action": "renewal_failed", "error": "TimeoutError"}),
    (
        events.EventLoopBlocked(5.04, "place"),
        "error",
        {"action": "event_loop_blocked", "seconds": 5.0, "stack": "place"},
    ),
    (events.CronCaughtUp("nightly"), "info", {"action": "cron_caught_up", "job": "nightly"}),
    (
        events.ShutdownStarted("SIGTERM", 2, 30),
        "info",
        {"action": "shutdown", "signal": "SIGTERM", "running": 2, "grace_s": 30},
    ),
    (events.GracePeriodExpired(2), "info", {"action": "grace_period_expired", "running": 2}),
    (events.StartCancelled(), "info", {"action": "cancelled"}),
    (events.JobsLeftBehind(2), "error", {"action": "jobs_left_behind", "jobs": 2}),
    (events.ExitRefused("SystemExit"), "error", {"action": "exit_refused", "error": "SystemExit"}),
    (events.SignOffFailed("TimeoutError"), "warning", {"action": "sign_off_failed", "error": "TimeoutError"}),
]
# What happens many times a second is counted by whoever counts, and never logged.
WITHOUT_LINE: list[object] = [
    events.JobStarted("job", "function", "queue", 1, 0.0),
    events.Claimed(1, 2, 0.1),
    events.ClaimFailed("ReadOnlyError", "READONLY"),
    events.CompletionsStored(1, 0, 0.1),
]
_FAILED = {"error": "TransientError", "message": "busy"}
OUTCOMES: dict[JobOutcome, tuple[str, dict[str, Any]] | None] = {
    "complete": None,
    "dead": ("error", {"action": "job_dead_lettered", "reason": "permanent error", "tries": 2, **_FAILED}),
    "aborted": ("info", {"action": "job_aborted"}),
    "retried": ("info", {"action": "job_retried", "delay_s": 1.23, "tries": 2, **_FAILED}),
    "handed_back": ("info", {"action": "job_handed_back"}),
    "postponed": ("info", {"action": "job_postponed"}),
    "function_unknown": ("warning", {"action": "function_unknown", "function": "function"}),
    "lease_lost": ("warning", {"action": "lease_lost"}),
}


def logged(event: object) -> list[Any]:
    """Return the lines of an event, without their text, which has no place in a test."""
    with capture_logs() as logs:
        logged_events().send(event)
    for line in logs:
        assert line.pop("event")
    return list(logs)


def failed(outcome: JobOutcome) -> JobFinished:
    facts = finished(outcome)._replace(tries=2, reason="permanent error", delay_s=1.2345)
    return facts._replace(error_class="TransientError", message="busy")


@pytest.mark.parametrize(("event", "level", "line"), LINES, ids=lambda value: type(value).__name__)
def test_an_event_makes_one_line_with_its_action_and_facts(event: object, level: str, line: dict[str, Any]) -> None:
    assert logged(event) == [{"log_level": level, **line}]


@pytest.mark.parametrize("event", WITHOUT_LINE, ids=lambda event: type(event).__name__)
def test_what_happens_all_the_time_makes_no_line(event: object) -> None:
    assert logged(event) == []


def test_every_kind_of_event_is_in_one_of_these_tables() -> None:
    kinds = {
        kind
        for _, kind in inspect.getmembers(events, inspect.isclass)
        if kind.__module__ == events.__name__ and kind is not events.Events
    }
    with_line = {type(event) for event, _, _ in LINES} | {JobFinished}

    assert with_line | {type(event) for event in WITHOUT_LINE} == kinds


def test_no_two_kinds_of_lines_share_an_action() -> None:
    actions = [line["action"] for _, _, line in LINES]
    actions += [found[1]["action"] for found in OUTCOMES.values() if found]

    assert len(actions) == len(set(actions))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_but_a_success_has_its_line(outcome: JobOutcome) -> None:
    expected = OUTCOMES[outcome]
    if expected is None:
        assert logged(failed(outcome)) == []
    else:
        level, line = expected
        assert logged(failed(outcome)) == [{"log_level": level, "job_id": "job", **line}]


def test_every_outcome_is_in_the_table() -> None:
    assert set(OUTCOMES) == set(JobOutcome.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("outcome", ["dead", "retried"])
def test_a_message_that_may_not_be_shown_leaves_no_field(outcome: JobOutcome) -> None:
    (line,) = logged(failed(outcome)._replace(message=""))
    assert (line["error"], "message" in line) == ("TransientError", False)


def test_the_message_of_a_failed_hook_may_be_missing_too() -> None:
    (line,) = logged(events.HookFailed("after_job_end", "job", "ValueError", "", "place"))
    assert (line["error"], "message" in line) == ("ValueError", False)


def test_the_name_of_an_unknown_function_is_bounded() -> None:
    (line,) = logged(finished("function_unknown", function="f" * 201))
    assert line["function"] == "f" * 200
