"""`hospital-worker jobs` beside real workers: what it says is what they do."""

import re

from tests.acceptance.conftest import Site
from worker.contract import INGEST_HOSPITAL, HospitalRecord, IngestHospital
from worker.embedded import EmbeddedMongo
from worker.queue import keys

EXPLAINED = "explained_settings.WorkerSettings"
INSTANT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \((?:in )?\d+ s(?: ago)?\)"


async def explained(site: Site, job_id: str) -> str:
    """Return the state and the reason on one line, as a person reads them."""
    done = await site.command("jobs", "explain", job_id)
    assert done.err == ""
    assert "patient" not in done.out
    fields = re.sub(r"\s*\n {8}", " ", done.out).splitlines()
    found = dict(line.rstrip().split(maxsplit=1) for line in fields)
    assert found["job"] == job_id
    return f"{found['state']}: {found['reason']}"


async def expect_explained(site: Site, job_id: str, pattern: str) -> None:
    async def is_so() -> bool:
        return re.fullmatch(pattern, await explained(site, job_id)) is not None

    try:
        await site.until(is_so)
    except TimeoutError:
        # Shows what it says instead.
        assert await explained(site, job_id) == pattern


async def test_the_life_of_jobs_is_explained_as_it_goes(site: Site) -> None:
    await site.put("gated", job_id="gated")
    await expect_explained(site, "gated", "queued: waits for a worker: none serves arq:queue")
    worker = await site.worker(EXPLAINED)
    running = (
        rf"running: is leased by worker \S+:{worker.pid}:\w+ \(host \S+, pid {worker.pid}\) until {INSTANT}, "
        r"running for at most \S+ \w+"
    )
    await expect_explained(site, "gated", running)
    await site.redis.set("gate", 1)
    await expect_explained(site, "gated", f"done: finished {INSTANT} after 1 try with the outcome through")
    await site.put("register_hospital", {"record": {"hospital_name": ""}}, job_id="bad")
    await expect_explained(
        site, "bad", rf"dead: was dead-lettered {INSTANT} after 1 try: permanent error \(InvalidPayload\)"
    )
    await site.put("failing", job_id="failing")
    await expect_explained(
        site, "failing", rf"deferred: is deferred until {INSTANT}: try [3-8] ended {INSTANT} with TransientError"
    )
    await site.put("no_such_job", job_id="unknown")
    await expect_explained(
        site,
        "unknown",
        "deferred: waits for a worker that has the function 'no_such_job': none that serves arq:queue has it",
    )
    async with site.producer() as producer:
        receipt = await producer.ingest_hospital(HospitalRecord(hospital_name="Sunrise Clinic"))
    await expect_explained(site, receipt.job_id, f"done: finished {INSTANT} after 1 try with the outcome created")


async def test_running_and_deferred_jobs_are_aborted(site: Site) -> None:
    await site.worker(EXPLAINED)
    await site.put("gated", job_id="running")
    await site.until(lambda: site.redis.exists(keys.IN_PROGRESS + "running"))
    async with site.producer() as producer:
        payload = IngestHospital(record=HospitalRecord(hospital_name="Sunrise Clinic"))
        receipt = await producer.enqueue(INGEST_HOSPITAL, payload, delay=600)
    for job_id in ("running", receipt.job_id):
        asked = await site.command("jobs", "abort", job_id)
        assert (asked.code, asked.err) == (0, "")
        await expect_explained(site, job_id, f"aborted: was aborted {INSTANT}")
        again = await site.command("jobs", "abort", job_id)
        assert (again.code, again.out) == (1, "")
        assert re.fullmatch(f"hospital-worker: nothing to abort: {job_id} was aborted {INSTANT}\n", again.err)


async def test_an_outage_of_mongodb_is_the_reason_of_jobs_that_wait_for_it(site: Site) -> None:
    async with EmbeddedMongo() as mongo:
        worker = await site.worker(MONGODB_URL=mongo.url, MONGODB_SELECTION_TIMEOUT="0.5")
        await mongo.kill()
        async with site.producer() as producer:
            receipts = [
                await producer.ingest_hospital(HospitalRecord(hospital_name=f"Hospital {number}"))
                for number in range(9)
            ]
        await site.until(lambda: "action=circuit_breaker_opened" in worker.log)
        for receipt in receipts:
            await expect_explained(
                site,
                receipt.job_id,
                rf"\w+: waits for MongoDB, which is unavailable to the 1 worker of arq:queue since {INSTANT}",
            )
