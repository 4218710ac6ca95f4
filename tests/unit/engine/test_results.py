from types import SimpleNamespace
from typing import Any

import pytest
from arq.worker import JobExecutionFailed

from worker.codec import Codec
from worker.engine.envelope import Call
from worker.engine.results import error_fields, make_dead_letter, result_data, result_life_ms
from worker.engine.running_job import Running
from worker.errors import InvalidPayload, PayloadProblem, TransientError
from worker.queue.dead_letter import Failure
from worker.queue.scripts import Claimed

CODEC = Codec()
MARK = "Xanthippe"


def running(payload: bytes = b"payload") -> Running:
    return Running(Claimed(b"id\xff", "queue", 0, 4, 1, -1, "", payload), "token")


def function(**options: Any) -> Any:
    return SimpleNamespace(**({"keep_result_forever": None, "keep_result_s": None} | options))


@pytest.mark.parametrize(
    ("forever", "options", "life_ms"),
    [
        (False, None, 60_000),
        (True, None, -1),
        (False, {}, 60_000),
        (False, {"keep_result_s": 0}, 0),
        (True, {"keep_result_forever": False, "keep_result_s": 1.5}, 1_500),
        (False, {"keep_result_forever": True}, -1),
    ],
)
def test_a_function_decides_before_its_worker(forever: bool, options: dict[str, Any] | None, life_ms: int) -> None:
    host: Any = SimpleNamespace(keep_result_forever=forever, keep_result_s=60)
    assert result_life_ms(host, None if options is None else function(**options)) == life_ms


@pytest.mark.parametrize(("size", "repeated"), [(16_384, [1]), (16_385, [])])
def test_long_arguments_are_left_out_of_the_result(size: int, repeated: list[int]) -> None:
    call = Call("job", (1,), {}, 7, 2)
    data = result_data(running(b"x" * size), call, "done", (10, 20), serializer=CODEC.encode)
    message = CODEC.decode(data or b"")
    assert (message["a"], message["r"], message["s"], message["t"]) == (repeated, "done", True, 2)
    assert (message["st"], message["ft"], message["id"], message["q"]) == (10, 20, "id\\xff", "queue")


def test_what_could_not_be_read_has_a_result_and_a_dead_letter_too() -> None:
    error = ValueError("no envelope")
    data = result_data(running(), None, error, (10, 20), serializer=CODEC.encode)
    message = CODEC.decode(data or b"")
    assert (message["f"], message["s"], message["t"]) == ("<unknown>", False, 4)
    failure = Failure.of(error, 4, 20)
    dead_letter = make_dead_letter(running(), None, failure, reason="permanent error", worker_id="w")
    assert (dead_letter.job_id, dead_letter.function, dead_letter.enqueued_at, dead_letter.crashes) == (
        "id\\xff",
        None,
        None,
        1,
    )
    assert dead_letter.envelope == b"payload"


def test_nothing_is_kept_of_a_result_that_no_serializer_takes() -> None:
    def broken(message: dict[str, Any]) -> bytes:
        raise TypeError

    assert result_data(running(), None, "done", (10, 20), serializer=broken) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TransientError("busy"), "busy"),
        (TimeoutError("not done within 5 s"), "not done within 5 s"),
        (JobExecutionFailed("job expired"), "job expired"),
        (ValueError(MARK), None),
        (InvalidPayload("Model", [PayloadProblem(MARK, "unknown field")]), None),
    ],
)
def test_a_log_line_holds_only_messages_of_our_own(error: Exception, message: str | None) -> None:
    fields = error_fields(error)
    assert (fields["error"], fields.get("message")) == (type(error).__name__, message)
    assert MARK not in str(fields)
