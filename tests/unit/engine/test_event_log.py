import inspect
from typing import Any

import pytest

from tests.support.captured_lines import capture_logs
from tests.support.logged_events import logged_events
from tests.unit.engine.conftest import finished
from worker.engine import events
from worker.engine.event_log import log_events
from worker.engine.events import Events, JobOutcome, TryEnded
from worker.engine.unknown_function_log import UnknownFunctionLog

# Each kind of event with a line: an example, its level, and all that the line holds beside its text.
LINES: list[tuple[object, str, dict[str, Any]]] = [
    (
        events.HookFailed("after_job_end", "job", "TransientError", "busy", "place", "function"),
        "error",
        {
            "action": "hook_failed",
            "hook": "after_job_end",
            "job_id": "job",
            "function": "function",
            "error": "TransientError",
            "message": "busy",
            "stack": "place",
        },
    ),
    (
        events.RunJobPatchFailed("tracing.run_job", "ValueError"),
        "warning",
        {"action": "run_job_patch_failed", "patch": "tracing.run_job", "error": "ValueError"},
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
    (
        events.BreakerChanged(True, "MongoDB is unavailable"),
        "error",
        {"action": "circuit_breaker_opened", "reason": "MongoDB is unavailable"},
    ),
    (
        events.BreakerChanged(False, "MongoDB is unavailable"),
        "info",
        {"action": "circuit_breaker_closed", "reason": "MongoDB is unavailable"},
    ),
    (events.MemoryLow(80, 100), "warning", {"action": "redis_memory_low", "used": 80, "limit": 100}),
    (
        events.EvictionPolicySeen("allkeys-lru"),
        "error",
        {"action": "redis_eviction_policy", "policy": "allkeys-lru"},
    ),
    (
        events.DeadLettersMoved(3, "folder/file"),
        "warning",
        {"action": "dead_letters_moved", "count": 3, "file": "folder/file"},
    ),
    (
        events.DeadLettersNotMoved("folder/file", "No space left on device"),
        "error",
        {"action": "dead_letters_not_moved", "file": "folder/file", "reason": "No space left on device"},
    ),
    (events.HistoryNotMoved("why"), "error", {"action": "history_not_moved", "reason": "why"}),
    (events.OutboxHeldUp("why"), "warning", {"action": "outbox_held_up", "reason": "why"}),
    (
        events.OutboxJobSkipped("job", "why"),
        "error",
        {"action": "outbox_job_skipped", "job_id": "job", "reason": "why"},
    ),
    (events.OutboxDocumentsUnreadable(2), "error", {"action": "outbox_documents_unreadable", "count": 2}),
    (events.EndsLeftOut(300), "error", {"action": "history_left_out", "count": 300}),
    (
        events.RedisLost("ReadOnlyError", "READONLY"),
        "error",
        {"action": "redis_lost", "error": "ReadOnlyError", "code": "READONLY"},
    ),
    (events.RedisBack(4), "info", {"action": "redis_back", "failed_calls": 4}),
    (events.Starting(["one", "two"]), "info", {"action": "starting"}),
    (
        events.RedisDescribed("redis_version=7.2 mem_usage=1M nothing"),
        "info",
        {"action": "redis_connected", "redis_version": "7.2", "mem_usage": "1M"},
    ),
    (events.RedisInfoFailed("TimeoutError"), "warning", {"action": "redis_info_failed", "error": "TimeoutError"}),
    (events.RenewalFailed("TimeoutError"), "debug", {"action": "renewal_failed", "error": "TimeoutError"}),
    (
        events.EventLoopBlocked(5.04, "place"),
        "error",
        {"action": "event_loop_blocked", "seconds": 5.0, "stack": "place"},
    ),
    (events.RenewalsHeldUp(5.04), "warning", {"action": "renewals_held_up", "seconds": 5.0}),
    (
        events.EventLoopStuck(70.04, "job", "place", "function"),
        "error",
        {"action": "event_loop_stuck", "seconds": 70.0, "job_id": "job", "function": "function", "stack": "place"},
    ),
    (
        events.JobIgnoresCancellation("job", "timeout", "function"),
        "error",
        {"action": "job_ignores_cancellation", "job_id": "job", "function": "function", "reason": "timeout"},
    ),
    (events.SlotsBlocked(5, 10), "error", {"action": "slots_blocked", "jobs": 5, "slots": 10, "queue": "all"}),
    (
        events.JobTooLargeForLink("job", 50.0),
        "error",
        {"action": "job_too_large_for_link", "job_id": "job", "delay_s": 50.0},
    ),
    (events.JobLeftThread("job"), "error", {"action": "job_left_thread", "job_id": "job"}),
    (events.ThreadsBlocked(3, 6), "error", {"action": "threads_blocked", "left": 3, "threads": 6}),
    (events.CronCaughtUp("nightly"), "info", {"action": "cron_caught_up", "job": "nightly"}),
    (
        events.ShutdownStarted("SIGTERM", 2, 30),
        "info",
        {"action": "shutdown", "signal": "SIGTERM", "running": 2, "grace_s": 30},
    ),
    (events.GracePeriodExpired(2), "info", {"action": "grace_period_expired", "running": 2}),
    (events.StartCancelled(), "info", {"action": "cancelled"}),
    (events.JobsLeftBehind(2), "error", {"action": "jobs_left_behind", "jobs": 2}),
    (events.ExitForced(["endless"]), "warning", {"action": "exit_forced", "threads": ["endless"]}),
    (events.ExitRefused("SystemExit"), "error", {"action": "exit_refused", "error": "SystemExit"}),
    (events.SignOffFailed("TimeoutError"), "warning", {"action": "sign_off_failed", "error": "TimeoutError"}),
]
# What happens many times a second is counted by listeners that count, and never logged.
WITHOUT_LINE: list[object] = [
    events.JobStarted("job", "function", "queue", 1, 0.0),
    events.CallStarted("job:function", (), {}, 1, 0.0, 0.0),
    events.TryDecided("job:function", finished("complete"), True, 1, 0.0, None, None),
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
    "put_aside": None,
    "function_unknown": ("warning", {"action": "function_unknown"}),
    "lease_lost": ("warning", {"action": "lease_lost"}),
}


def logged(event: object) -> list[Any]:
    """Return the lines of an event, without their text, which has no place in a test."""
    with capture_logs() as logs:
        logged_events().send(event)
    for line in logs:
        assert line.pop("event")
    return list(logs)


def failed(outcome: JobOutcome) -> TryEnded:
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
    with_line = {type(event) for event, _, _ in LINES} | {TryEnded}

    assert with_line | {type(event) for event in WITHOUT_LINE} == kinds


def test_a_patch_that_cannot_be_used_names_no_error() -> None:
    (line,) = logged(events.RunJobPatchFailed("tracing.run_job", ""))
    assert "error" not in line


def test_no_two_kinds_of_lines_share_an_action() -> None:
    actions = [line["action"] for _, _, line in LINES]
    actions += [found[1]["action"] for found in OUTCOMES.values() if found]

    assert len(actions) == len(set(actions))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_but_those_without_has_its_line(outcome: JobOutcome) -> None:
    expected = OUTCOMES[outcome]
    if expected is None:
        assert logged(failed(outcome)) == []
    else:
        level, line = expected
        assert logged(failed(outcome)) == [{"log_level": level, "job_id": "job", "function": "function", **line}]


def test_every_outcome_is_in_the_table() -> None:
    assert set(OUTCOMES) == set(JobOutcome.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("outcome", ["dead", "retried"])
def test_a_message_that_may_not_be_shown_leaves_no_field(outcome: JobOutcome) -> None:
    (line,) = logged(failed(outcome)._replace(message=""))
    assert (line["error"], "message" in line) == ("TransientError", False)


def test_the_message_of_a_failed_hook_may_be_missing_too() -> None:
    (line,) = logged(events.HookFailed("after_job_end", "job", "ValueError", "", "place"))
    assert (line["error"], "message" in line) == ("ValueError", False)


@pytest.mark.parametrize(("is_open", "level"), [(True, "error"), (False, "info")])
def test_the_line_of_one_functions_breaker_names_it(is_open: bool, level: str) -> None:
    (line,) = logged(events.BreakerChanged(is_open, "MongoDB refuses an operation", "amend"))
    action = "circuit_breaker_opened" if is_open else "circuit_breaker_closed"
    reason = "MongoDB refuses an operation"
    assert line == {"log_level": level, "action": action, "reason": reason, "function": "amend"}


def test_a_job_whose_function_is_not_known_names_none() -> None:
    (line,) = logged(finished("lease_lost", function=""))
    assert "function" not in line


def test_an_unknown_function_is_logged_once_in_an_hour() -> None:
    now = [0.0]
    sent = Events()
    log_events(sent, lambda: now[0])
    logged_at: list[tuple[float, str]] = []
    for second in range(0, 7_205, 5):
        now[0] = float(second)
        with capture_logs() as lines:
            sent.send(finished("function_unknown", function="geocode"))
            if second == 10:
                sent.send(finished("function_unknown", function="other"))
        logged_at += [(now[0], line["function"]) for line in lines]

    assert logged_at == [(0, "geocode"), (10, "other"), (3_600, "geocode"), (7_200, "geocode")]


def test_invented_names_of_functions_do_not_fill_the_memory() -> None:
    log = UnknownFunctionLog(lambda: 0.0)
    with capture_logs() as lines:
        for number in range(150):
            log.try_ended(finished("function_unknown", function=f"{number}"))
        log.try_ended(finished("function_unknown", function="149"))
        log.try_ended(finished("function_unknown", function="0"))

    assert [line["function"] for line in lines] == [*map(str, range(150)), "0"]


def test_the_name_of_an_unknown_function_is_bounded() -> None:
    (line,) = logged(finished("function_unknown", function="f" * 201))
    assert line["function"] == "f" * 200


def test_blocked_slots_of_one_queue_are_named() -> None:
    (line,) = logged(events.SlotsBlocked(1, 2, "bulk"))
    assert (line["jobs"], line["slots"], line["queue"]) == (1, 2, "bulk")


def test_renewals_that_are_refused_are_a_warning() -> None:
    (line,) = logged(events.RenewalFailed("NoPermissionError", refused=True))
    assert (line["log_level"], line["error"]) == ("warning", "NoPermissionError")
