from typing import Any

import pytest
from arq.worker import JobExecutionFailed

from worker.codec import Codec
from worker.engine.attempt import Attempt
from worker.engine.clock import RedisClock
from worker.engine.envelope import Call
from worker.engine.options import JobFunction
from worker.engine.results import loggable_message, make_dead_letter, result_data
from worker.engine.running_job import RunningJob
from worker.errors import InvalidPayload, PayloadProblem, TransientError
from worker.queue.claim import ClaimedJob
from worker.queue.dead_letter import Failure

CODEC = Codec()
MARK = "Xanthippe"


async def _not_called(ctx: Any) -> None: ...


UNKNOWN = JobFunction(coroutine=_not_called, max_tries=5, timeout_s=300, result_life_ms=3_600_000)


def attempt(call: Call | None = None, payload: bytes = b"payload") -> Attempt:
    tried = Attempt(
        RunningJob(ClaimedJob(b"id\xff", "queue", 0, 4, 1, -1, "", payload), "token"),
        RedisClock(),
        UNKNOWN,
    )
    tried.call = call
    tried.started_ms, tried.finished_ms = 10, 20
    return tried


@pytest.mark.parametrize(("size", "repeated"), [(16_384, [1]), (16_385, [])])
def test_long_arguments_are_left_out_of_the_result(size: int, repeated: list[int]) -> None:
    call = Call("job", (1,), {}, 7, 2)
    data = result_data(attempt(call, b"x" * size), "done", success=True, serializer=CODEC.encode)
    message = CODEC.decode(data or b"")
    assert (message["a"], message["r"], message["s"], message["t"]) == (repeated, "done", True, 2)
    assert (message["st"], message["ft"], message["id"], message["q"]) == (10, 20, "id\\xff", "queue")


@pytest.mark.parametrize("codec", [CODEC, Codec({"k1": "0123456789abcdef"})])
def test_the_digest_of_a_call_is_the_first_field_of_its_result(codec: Codec) -> None:
    call = Call("job", (1,), {}, 7, 2, digest="0123456789abcdef")
    for success in (True, False):
        data = result_data(attempt(call), ValueError("x"), success=success, serializer=codec.encode) or b""
        assert data[data.index(b"{") :].startswith(b'{"v":1,"d":"0123456789abcdef",')
        assert codec.decode(data)["s"] is success
    without = result_data(attempt(Call("job", (1,), {}, 7, 2)), None, success=True, serializer=codec.encode) or b""
    assert b'"d":' not in without


def test_an_unreadable_job_has_a_result_and_a_dead_letter_too() -> None:
    error = ValueError("no envelope")
    data = result_data(attempt(), error, success=False, serializer=CODEC.encode)
    message = CODEC.decode(data or b"")
    assert (message["f"], message["s"], message["t"]) == ("<unknown>", False, 4)
    failure = Failure.of(error, 4, 20)
    dead_letter = make_dead_letter(attempt(), failure, reason="permanent error", worker_id="w")
    assert (dead_letter.job_id, dead_letter.function, dead_letter.enqueued_at, dead_letter.crashes) == (
        "id\\xff",
        None,
        None,
        1,
    )
    assert dead_letter.is_of(b"payload")
    assert (dead_letter.payload, dead_letter.payload_bytes) == ("", 7)


def test_there_is_no_result_data_if_the_serializer_fails() -> None:
    def broken(message: dict[str, Any]) -> bytes:
        raise TypeError

    assert result_data(attempt(), "done", success=True, serializer=broken) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TransientError("busy"), "busy"),
        (TimeoutError("not done within 5 s"), "not done within 5 s"),
        (JobExecutionFailed("job expired"), "job expired"),
        (ValueError(MARK), ""),
        (InvalidPayload("Model", [PayloadProblem(MARK, "unknown field")]), ""),
    ],
)
def test_a_log_line_shows_only_messages_of_this_service(error: Exception, message: str) -> None:
    assert loggable_message(error) == message


def test_a_message_in_a_log_line_is_bounded() -> None:
    assert len(loggable_message(JobExecutionFailed("x" * 1_000_000))) == 2_000
