from typing import Any

import pytest
from arq.jobs import DeserializationError
from arq.worker import JobExecutionFailed

from worker.codec import Codec
from worker.contract.trace_context import TraceContext
from worker.engine.envelope import Call, read_call
from worker.errors import InvalidEnvelope, TransientError
from worker.queue.claim import ClaimedJob

CODEC = Codec()
MESSAGE: dict[str, Any] = {"t": None, "f": "job", "a": [1], "k": {"two": 2}, "et": 7}


def claimed(tries: int = 1, **changes: Any) -> ClaimedJob:
    return ClaimedJob(b"id", "queue", 0, tries, 0, -1, "", CODEC.encode(MESSAGE | changes))


def test_the_call_is_read_from_the_envelope() -> None:
    assert read_call(claimed(), CODEC.decode) == Call("job", (1,), {"two": 2}, 7, 1)


@pytest.mark.parametrize(
    ("tries", "first_try", "expected"), [(1, None, 1), (3, None, 3), (1, 4, 4), (5, 2, 5), (1, 0, 1)]
)
def test_the_producers_try_number_is_a_lower_bound(tries: int, first_try: int | None, expected: int) -> None:
    assert read_call(claimed(tries, t=first_try), CODEC.decode).tries == expected


def test_a_job_may_name_its_batch() -> None:
    assert read_call(claimed(b="import-7"), CODEC.decode).batch == "import-7"
    assert read_call(claimed(b=None), CODEC.decode).batch == ""


def test_a_job_may_say_in_which_trace_it_was_enqueued() -> None:
    sent = read_call(claimed(traceparent="00-1-2-01", tracestate="vendor=1"), CODEC.decode).trace_context
    assert sent == TraceContext("00-1-2-01", "vendor=1")
    assert read_call(claimed(), CODEC.decode).trace_context is None
    # Earlier versions ignored the field, so it refuses no job.
    assert read_call(claimed(traceparent={"not": "text"}), CODEC.decode).trace_context is None


def test_a_job_may_say_what_it_does_in_a_digest() -> None:
    assert read_call(claimed(d="0123456789abcdef"), CODEC.decode).digest == "0123456789abcdef"
    # Another program's field of that name does not keep its job from running.
    assert {read_call(claimed(d=other), CODEC.decode).digest for other in (None, 7, {"d": 1})} == {""}


@pytest.mark.parametrize("batch", ["", "two words", "a:b", 7, ["import-7"]])
def test_what_cannot_be_a_batch_is_refused(batch: object) -> None:
    with pytest.raises(InvalidEnvelope, match="'b' is not the id of a batch"):
        read_call(claimed(b=batch), CODEC.decode)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"job_id": b"\xff"}, "the job id is not UTF-8"),
        ({"problem": "wrong-type"}, "the job's key does not hold a string"),
        ({"payload": b"{"}, "not a JSON envelope"),
    ],
)
def test_an_unreadable_job_is_an_invalid_envelope(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidEnvelope, match=message):
        read_call(claimed()._replace(**changes), CODEC.decode)


def test_a_job_without_its_payload_has_expired() -> None:
    with pytest.raises(JobExecutionFailed, match="job expired"):
        read_call(claimed()._replace(problem="missing", payload=b""), CODEC.decode)


@pytest.mark.parametrize(
    "change", [{"f": []}, {"a": "x"}, {"k": []}, {"t": "1"}, {"et": 1.5}, {"et": -1}, {"et": 1e14}]
)
def test_the_output_of_a_custom_deserializer_is_validated(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidEnvelope):
        read_call(claimed(), lambda data: MESSAGE | change)


@pytest.mark.parametrize(
    "deserializer", [None, lambda data: data.decode("utf-16")["f"], lambda data: {}, lambda data: None]
)
def test_a_message_that_a_users_deserializer_cannot_read_is_arqs_error(deserializer: Any) -> None:
    with pytest.raises(DeserializationError, match=r"^unable to deserialize job$") as raised:
        read_call(claimed(), deserializer)
    assert raised.value.__cause__ is not None


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), TransientError("busy")])
def test_a_deserializer_whose_store_is_unavailable_may_be_tried_again(error: Exception) -> None:
    def read(data: bytes) -> dict[str, Any]:
        raise error

    with pytest.raises(type(error)):
        read_call(claimed(), read)


@pytest.mark.parametrize("other", ["another", "id ", "", None, 1, ["id"]])
def test_an_envelope_written_for_another_job_is_refused(other: object) -> None:
    assert read_call(claimed(id="id"), CODEC.decode).function == "job"
    with pytest.raises(InvalidEnvelope, match="written for a job with another id"):
        read_call(claimed(id=other), CODEC.decode)
