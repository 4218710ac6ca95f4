import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from producers.queue import QueueClient
from worker.codec import Codec
from worker.contract import (
    AMEND_HOSPITAL,
    INGEST_HOSPITAL,
    INGEST_HOSPITALS,
    REGISTER_HOSPITAL,
    WITHDRAW_HOSPITAL,
    JobSpec,
)
from worker.contract.validation import parse
from worker.queue.digests import call_digest, stored_digest
from worker.settings import load_settings

MERCY = {"hospital_name": "Mercy", "source": "cms", "external_id": "1"}
BY = {"actor": "dr-ito", "reason": "licence 4711"}
POINT = {"type": "Point", "coordinates": [16.0, 45.81]}
AMENDMENT = {"hospital_id": "cms:1", "changes": {"beds": 7}, **BY}


class Note(BaseModel):
    """The payload of a job that is not one of ours; leaving a field out may mean something else than null."""

    text: str | None = None
    hospital: dict[str, Any] = {}


NOTE: JobSpec[Note, Any] = JobSpec("note", Note, Note)


def digest(spec: JobSpec[Any, Any], raw: object) -> str:
    return call_digest(spec.name, parse(spec.payload, raw))


@pytest.mark.parametrize(
    ("spec", "one", "other"),
    [
        (REGISTER_HOSPITAL, {"record": MERCY, **BY}, {**BY, "record": dict(reversed(MERCY.items()))}),
        (REGISTER_HOSPITAL, {"record": MERCY, **BY}, {"record": {**MERCY, "beds": None}, **BY}),
        (REGISTER_HOSPITAL, {"record": MERCY, **BY}, {"record": {**MERCY, "city": None}, **BY}),
        (INGEST_HOSPITAL, {"record": MERCY}, {"record": MERCY, "on_existing": "keep"}),
        (WITHDRAW_HOSPITAL, {"hospital_id": "cms:1", **BY}, {"hospital_id": "cms:1", "revision": None, **BY}),
        (
            INGEST_HOSPITAL,
            {"record": {**MERCY, "location": POINT}},
            {"record": {**MERCY, "location": {"coordinates": [16, 45.81]}}},
        ),
        (
            INGEST_HOSPITAL,
            {"record": {**MERCY, "observed_at": "2025-06-30T12:00:00Z"}},
            {"record": {**MERCY, "observed_at": datetime(2025, 6, 30, 12, tzinfo=UTC)}},
        ),
        (
            INGEST_HOSPITALS,
            {"records": [MERCY]},
            {"records": [{**MERCY, "beds": None}], "collided": False, "unread": [], "on_existing": "keep"},
        ),
    ],
)
def test_calls_that_ask_for_the_same_share_a_digest(spec: Any, one: object, other: object) -> None:
    assert digest(spec, one) == digest(spec, other)
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", digest(spec, one))


@pytest.mark.parametrize(
    ("spec", "one", "other"),
    [
        (REGISTER_HOSPITAL, {"record": MERCY, **BY}, {"record": {**MERCY, "external_id": "2"}, **BY}),
        (REGISTER_HOSPITAL, {"record": MERCY, **BY}, {"record": MERCY, **BY, "actor": "dr-no"}),
        (REGISTER_HOSPITAL, {"record": MERCY, **BY}, {"record": MERCY, **BY, "reason": "another"}),
        (INGEST_HOSPITAL, {"record": MERCY}, {"record": MERCY, "on_existing": "merge"}),
        (INGEST_HOSPITAL, {"record": MERCY}, {"record": {**MERCY, "emergency_services": False}}),
        (INGEST_HOSPITAL, {"record": MERCY}, {"record": {**MERCY, "beds": 0}}),
        (INGEST_HOSPITALS, {"records": [MERCY]}, {"records": [MERCY, MERCY]}),
        (INGEST_HOSPITALS, {"records": [MERCY, {}]}, {"records": [{}, MERCY]}),
        # Null clears a field there.
        (AMEND_HOSPITAL, AMENDMENT, {**AMENDMENT, "changes": {"beds": 7, "phone": None}}),
        (AMEND_HOSPITAL, AMENDMENT, {**AMENDMENT, "revision": 1}),
        (NOTE, {}, {"text": None}),
    ],
)
def test_calls_that_ask_for_something_else_have_different_digests(spec: Any, one: object, other: object) -> None:
    assert digest(spec, one) != digest(spec, other)


def test_the_same_payload_of_two_kinds_of_job_has_two_digests() -> None:
    payload = parse(WITHDRAW_HOSPITAL.payload, {"hospital_id": "cms:1", **BY})
    assert call_digest("withdraw_hospital", payload) != call_digest("another", payload)


STORED: list[tuple[JobSpec[Any, Any], dict[str, Any]]] = [
    (REGISTER_HOSPITAL, {"record": {**MERCY, "beds": None, "location": POINT}, **BY}),
    (INGEST_HOSPITAL, {"record": {**MERCY, "observed_at": "2025-06-30T12:00:00Z", "attributes": {"a": 1.5}}}),
    (AMEND_HOSPITAL, {**AMENDMENT, "changes": {"beds": 7, "phone": None, "location": POINT}, "revision": None}),
    (INGEST_HOSPITALS, {"records": [{**MERCY, "beds": None, "location": POINT}], "import_id": "i", "lines": [2]}),
    (NOTE, {"text": None, "hospital": {"beds": None, "at": [1.0]}}),
]


@pytest.mark.parametrize(("spec", "raw"), STORED)
def test_an_envelope_and_a_result_without_a_digest_show_the_same_one(spec: Any, raw: dict[str, Any]) -> None:
    client, codec = QueueClient(load_settings(redis_url="redis://nowhere"), 0), Codec()
    job = client.job(spec, parse(spec.payload, raw), f"{spec.name}:key", has_key=True)
    message = codec.decode(job.payload)
    assert message.pop("d") == digest(spec, raw) == stored_digest(message)
    result = message | {"s": True, "r": {}, "st": 1, "ft": 2, "q": "queue"}
    assert stored_digest(codec.decode(codec.encode(result))) == digest(spec, raw)


@pytest.mark.parametrize(
    "change",
    [
        {"a": []},
        {"a": [{"hospital_id": "cms:1"}, 2]},
        {"k": {"payload": 1}},
        {"a": [{"hospital_id": "cms:1", "of_a_later_version": 1}]},
    ],
)
def test_what_does_not_show_what_was_asked_for_has_no_digest(change: dict[str, Any]) -> None:
    message = {"f": "withdraw_hospital", "a": [{"hospital_id": "cms:1", **BY}], "k": {}}
    assert stored_digest(message) is not None
    assert stored_digest(message | change) is None


def test_when_and_in_which_batch_a_job_is_enqueued_makes_no_difference() -> None:
    client, codec = QueueClient(load_settings(redis_url="redis://nowhere"), 0), Codec()
    payload = parse(WITHDRAW_HOSPITAL.payload, {"hospital_id": "cms:1", **BY})
    now = client.job(WITHDRAW_HOSPITAL, payload, "withdraw_hospital:k", has_key=True)
    later = client.job(WITHDRAW_HOSPITAL, payload, "withdraw_hospital:k", 60, "batch", has_key=True)
    assert codec.decode(now.payload)["d"] == codec.decode(later.payload)["d"]


def test_a_job_without_a_key_has_no_digest_and_one_with_a_key_is_23_bytes_longer() -> None:
    client = QueueClient(load_settings(redis_url="redis://nowhere"), 0)
    payload = parse(WITHDRAW_HOSPITAL.payload, {"hospital_id": "cms:1", **BY})
    without = client.job(WITHDRAW_HOSPITAL, payload, "withdraw_hospital:~0123456789abcdef")
    with_key = client.job(WITHDRAW_HOSPITAL, payload, "withdraw_hospital:k", has_key=True)
    assert b'"d":' not in without.payload
    # The scripts look for it there alone.
    assert re.match(rb'\{"v":1,"d":"[\w-]{16}","f":', with_key.payload)
    assert len(with_key.payload) - len(without.payload) == len('"d":"0123456789abcdef",')


def test_the_digest_is_the_one_that_the_document_describes() -> None:
    payload = {"record": MERCY, **BY}
    text = json.dumps(["register_hospital", payload], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert orjson.loads(text) == ["register_hospital", payload]
    made = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12]).decode()
    assert digest(REGISTER_HOSPITAL, payload) == made
