"""`hospital-producer amend`, `withdraw`, `correct` and `discard`, on a real worker."""

import json
from typing import Any

from tests.acceptance.conftest import Site
from worker.contract import HospitalRecord

BY = ("--actor", "dr-ito", "--reason", "licence 4711 seen")


class Change:
    """Runs a command of `hospital-producer`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.notes = ""

    async def __call__(self, code: int, *arguments: str) -> dict[str, Any]:
        """Return what it prints as JSON, once it has ended with `code`."""
        done = await self._site.run("producers", *arguments, "--json")
        assert done.code == code, done.out + done.err
        self.notes = done.err
        found: dict[str, Any] = json.loads(done.out)
        return found


async def _stored(site: Site, hospital_id: str) -> dict[str, Any] | None:
    shown = await site.command("registry", "get", hospital_id, "--json")
    return json.loads(shown.out) if shown.code == 0 else None


async def test_a_registered_hospital_is_amended_and_withdrawn(site: Site) -> None:
    await site.worker()
    change = Change(site)
    name = ("--name", "Harbour Clinic", "--source", "hr", "--external-id", "43", "--set", "phone=1")
    registered = await change(0, "register", *name, *BY, "--idempotency-key", "licence-4711")
    assert (registered["job_id"], registered["status"]) == ("register_hospital:licence-4711", "registered")
    refused = await change(1, "correct", "hr:43", "--revision", "1", "--set", "beds=1")
    assert (refused["status"], refused["reason"]) == ("conflict", "registered")
    assert change.notes == "note: the hospital is registered: hospital-producer amend, or withdraw\n"

    amendment = ("amend", "hr:43", "--set", "beds=64", "--set", "phone=", *BY, "--idempotency-key", "ward-2")
    amended = await change(0, *amendment, "--revision", "1")
    assert (amended["status"], amended["revision"]) == ("amended", 2)
    assert await change(0, *amendment, "--revision", "1") == amended
    found = await _stored(site, "hr:43") or {}
    assert (found["beds"], found["revision"], "phone" in found) == (64, 2, False)

    stale = await change(1, "amend", "hr:43", "--set", "beds=1", *BY, "--revision", "1")
    assert (stale["status"], stale["reason"]) == ("conflict", "revision")
    late = await change(1, "withdraw", "hr:43", *BY, "--revision", "1")
    assert (late["status"], late["reason"]) == ("conflict", "revision")
    assert (await change(0, "withdraw", "hr:43", *BY))["status"] == "withdrawn"
    assert await _stored(site, "hr:43") is None
    assert (await change(1, "amend", "hr:43", "--set", "beds=1", *BY))["status"] == "not_found"

    history = await site.command("audit", "show", "hr:43", "--json")
    entries = [json.loads(line) for line in history.out.splitlines()]
    assert [entry["event"] for entry in entries] == [
        "registered", "amended", "amendment_rejected", "withdrawal_rejected", "withdrawn", "amendment_rejected",
    ]  # fmt: skip
    assert {(entry["actor"], entry["reason"]) for entry in entries} == {("dr-ito", "licence 4711 seen")}


async def test_a_partial_hospital_is_corrected_and_discarded(site: Site) -> None:
    await site.worker()
    async with site.producer() as producer:
        record = HospitalRecord(hospital_name="Harbour Clinic", source="hr", external_id="43")
        await (await producer.ingest_hospital(record)).outcome(timeout=20)
    change = Change(site)
    unregistered = await change(1, "withdraw", "hr:43", *BY)
    assert (unregistered["status"], unregistered["reason"]) == ("conflict", "not_registered")
    assert change.notes == "note: the hospital is not registered: hospital-producer correct, or discard\n"
    corrected = await change(0, "correct", "hr:43", "--revision", "1", "--set", "city=Troy")
    assert (corrected["status"], corrected["revision"]) == ("corrected", 2)
    assert (await _stored(site, "hr:43") or {})["city"] == "Troy"
    late = await change(1, "discard", "hr:43", "--revision", "1")
    assert (late["status"], late["reason"]) == ("conflict", "revision")
    assert "hospital-worker registry get" in change.notes
    assert (await change(0, "discard", "hr:43", "--revision", "2"))["status"] == "discarded"
    assert await _stored(site, "hr:43") is None


async def test_without_a_worker_the_job_is_named_and_runs_later(site: Site) -> None:
    done = await site.run("producers", "withdraw", "hr:43", *BY, "--idempotency-key", "k", "--wait", "0.1")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "hospital-producer: no outcome within 0.1 s; the queue has taken the job: "
        "hospital-producer status withdraw_hospital:k\n"
    )
    await site.worker()
    assert (await site.result("withdraw_hospital:k"))["r"]["status"] == "not_found"
