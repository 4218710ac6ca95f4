import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.errors import RemoteError
from worker.queue.dead_letter import DeadLetter, Failure, payload_text, read_dead_letter


def dead_letter(payload: bytes = b"payload") -> DeadLetter:
    return DeadLetter(
        job_id="ingest_hospital:1",
        function="ingest_hospital",
        queue="queue",
        payload=payload_text(payload),
        reason="permanent error",
        failure=Failure(type="ValueError", message="wrong", traceback="Traceback ...", tries=3, at_ms=5),
        crashes=1,
        worker="host:1",
        history=[Failure(type="OSError", message="connection refused", tries=1, at_ms=4)],
    )


@given(st.binary())
def test_a_payload_of_any_bytes_is_stored_unchanged(envelope: bytes) -> None:
    read = DeadLetter.model_validate_json(dead_letter(envelope).model_dump_json())

    assert read.envelope == envelope
    assert read == dead_letter(envelope)


def test_a_dead_letter_of_an_earlier_version_is_read() -> None:
    stored = dead_letter().model_dump(mode="json")
    stored["lane"] = stored.pop("queue")

    assert read_dead_letter("ingest_hospital:1", json.dumps(stored).encode()) == dead_letter()


def test_a_failure_has_the_class_message_and_traceback_of_its_error() -> None:
    try:
        raise ValueError("no beds")
    except ValueError as error:
        failure = Failure.of(error, tries=2, at_ms=7)

    assert (failure.type, failure.message, failure.tries, failure.at_ms) == ("ValueError", "no beds", 2, 7)
    assert "test_a_failure_has_the_class_message_and_traceback_of_its_error" in failure.traceback
    assert failure.short() == failure.model_copy(update={"traceback": ""})


def test_an_error_from_another_process_keeps_its_class_name() -> None:
    assert Failure.of(RemoteError("KeyError", "x", "Traceback ..."), 1, 1).type == "KeyError"


def test_a_summary_omits_payload_traceback_and_history() -> None:
    summary = dead_letter().summary()

    assert set(summary) == {
        "payload_bytes",
        *("job_id", "function", "queue", "reason", "failure", "crashes", "worker", "enqueued_at"),
    }
    assert summary["failure"] == {"type": "ValueError", "message": "wrong", "tries": 3, "at_ms": 5}


def test_a_dead_letter_is_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        dead_letter().reason = "other"  # type: ignore[misc]
