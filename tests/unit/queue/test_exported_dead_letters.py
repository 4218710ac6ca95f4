"""Dead letters as lines of JSON: readable payloads, signed anew when they come back."""

import json
from typing import Any

import pytest

from worker.codec import Codec
from worker.errors import UntrustedEnvelope
from worker.queue.dead_letter import DeadLetter, Failure, payload_digest, payload_text
from worker.queue.exported_dead_letters import InvalidExport, exported, imported

PLAIN = Codec()
OLD, NEW = Codec({"k1": "secret one"}), Codec({"k2": "secret two", "k1": "secret one"})
JOB: dict[str, Any] = {"t": None, "f": "ingest", "a": [{"hospital_name": "Östra"}], "k": {}, "et": 1}


def letter(envelope: bytes) -> DeadLetter:
    return DeadLetter(
        job_id="j", function="ingest", queue="arq:queue", payload=payload_text(envelope) if envelope else "",
        payload_bytes=len(envelope), payload_digest=payload_digest(envelope), reason="r", crashes=0, worker="w",
        failure=Failure(type="E", message="m", tries=1, at_ms=1),
        history=[Failure(type="T", message="m", tries=1, at_ms=0)],
    )  # fmt: skip


def test_a_payload_is_exported_as_its_message_and_comes_back() -> None:
    dead = letter(PLAIN.encode(JOB))
    shown = exported(dead, PLAIN)
    assert "payload" not in shown
    assert shown["message"]["a"] == [{"hospital_name": "Östra"}]
    back, envelope = imported(json.dumps(shown), PLAIN)
    assert PLAIN.decode(envelope) == PLAIN.decode(dead.envelope)
    assert back.is_of(envelope)
    assert (back.payload, back.payload_bytes, back.history) == ("", len(envelope), dead.history)


def test_a_message_is_signed_with_the_first_key_and_names_its_job() -> None:
    shown = exported(letter(OLD.encode(JOB)), NEW)
    _, envelope = imported(json.dumps(shown), NEW)
    assert envelope.startswith(b"s1:k2:") or b":k2:" in envelope
    assert NEW.decode(envelope)["id"] == "j"
    with pytest.raises(UntrustedEnvelope):
        OLD.decode(envelope)


@pytest.mark.parametrize(
    "envelope",
    [
        PLAIN.encode(JOB),
        Codec({"k1": "forged"}).encode({**JOB, "id": "j"}),
        OLD.encode({**JOB, "id": "x"}),
        b"\xff",
    ],
    ids=["unsigned", "forged", "of another job", "not JSON"],
)
def test_a_payload_that_is_not_trusted_is_kept_byte_for_byte_and_never_signed(envelope: bytes) -> None:
    shown = exported(letter(envelope), NEW)
    assert "message" not in shown
    assert imported(json.dumps(shown), NEW).envelope == envelope


def test_a_letter_without_a_payload_stays_without() -> None:
    back, envelope = imported(json.dumps(exported(letter(b""), PLAIN)), PLAIN)
    assert (back.has_payload, envelope) == (False, b"")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "not JSON"),
        ("[]", "not an object"),
        ("{}", "not a dead letter"),
        (json.dumps(exported(letter(b"x"), PLAIN) | {"payload": "a"}), "payload is not base64"),
        (json.dumps(exported(letter(b"x"), PLAIN) | {"message": []}), "message is not an object"),
        (json.dumps(exported(letter(b"x"), PLAIN) | {"message": {"f": []}}), "message is not a job"),
    ],
)
def test_what_is_not_an_exported_letter_is_refused(line: str, problem: str) -> None:
    with pytest.raises(InvalidExport, match=problem):
        imported(line, PLAIN)
