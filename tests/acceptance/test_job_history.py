"""`hospital-worker jobs list|show|explain` on jobs that ended, with a real worker and both servers."""

import json
import re
from typing import Any

from tests.acceptance.conftest import Site
from worker.contract import HospitalRecord
from worker.queue import keys

INSTANT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\d+ s ago\)"
EXPLAINED = "explained_settings.WorkerSettings"


async def listed(site: Site, *options: str, **environment: str) -> list[dict[str, Any]]:
    done = await site.command("jobs", "list", "--json", *options, **environment)
    assert (done.code, done.err) == (0, ""), done
    assert "patient" not in done.out
    found: list[dict[str, Any]] = json.loads(done.out)["jobs"]
    return found


async def ids(site: Site, *options: str) -> list[str]:
    return [job["job_id"] for job in await listed(site, *options)]


async def reason_of(site: Site, job_id: str) -> str:
    done = await site.command("jobs", "explain", job_id, "--json")
    shown = json.loads(done.out)
    assert "patient" not in done.out
    assert (done.code, done.err) == (1 if shown["state"] == "unknown" else 0, "")
    return f"{shown['state']}: {shown['reason']}"


async def end_some_jobs(site: Site) -> tuple[str, str]:
    """Let one job complete, which is about a hospital, and one die; returns their ids once the history has them."""
    async with site.producer() as producer:
        receipt = await producer.ingest_hospital(
            HospitalRecord(hospital_name="Mercy", source="cms", external_id="7")
        )
    await site.put("register_hospital", {"record": {"hospital_name": "a patient"}, "x": 1}, job_id="bad")
    await site.until(lambda: site.redis.hexists(keys.DEAD, "bad"))
    await site.result(receipt.job_id)
    return receipt.job_id, "bad"


async def test_ended_jobs_are_found_by_what_they_were(site: Site) -> None:
    await site.worker()
    done, bad = await end_some_jobs(site)

    # In Redis or already moved: a search finds them either way.
    assert sorted(await ids(site)) == sorted([done, bad])
    await site.until(lambda: is_moved(site))
    assert sorted(await ids(site)) == sorted([done, bad])
    assert await ids(site, "--job", done) == [done]
    assert await ids(site, "--function", "register_hospital") == [bad]
    assert await ids(site, "--hospital", "cms:7") == [done]
    assert await ids(site, "--outcome", "dead") == [bad]
    assert await ids(site, "--error", "InvalidPayload") == [bad]
    assert await ids(site, "--batch", "load-7") == []
    assert await ids(site, "--until", "2026-01-01") == []
    assert len(await ids(site, "--since", "2026-01-01")) == 2
    (shown,) = await listed(site, "--job", done)
    assert (shown["outcome"], shown["status"], shown["tries"], shown["error"]) == ("complete", "created", 1, "")
    assert shown["hospital_id"] == "cms:7"


async def is_moved(site: Site) -> bool:
    return not await site.redis.xlen(keys.ENDED)


async def test_a_list_goes_on_after_its_cursor(site: Site) -> None:
    await site.worker(EXPLAINED)
    await site.redis.set("gate", 1)
    for number in range(7):
        await site.put("gated", job_id=f"job-{number}")
    await site.until(lambda: has_ended(site, 7))
    found: list[str] = []
    after: tuple[str, ...] = ()
    for _ in range(3):
        page = await listed(site, "--limit", "3", *after)
        found += [job["job_id"] for job in page]
        after = ("--after", page[-1]["cursor"])

    assert sorted(found) == [f"job-{number}" for number in range(7)]
    printed = await site.command("jobs", "list", "--limit", "3")
    assert f"more match; the next ones: --after {(await listed(site, '--limit', '3'))[-1]['cursor']}" in printed.out
    assert max(len(line) for line in printed.out.splitlines()[:4]) <= 80
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +complete +job-\d +1 *$", printed.out, re.MULTILINE)


async def has_ended(site: Site, count: int) -> bool:
    return len(await listed(site)) == count


async def test_jobs_that_redis_forgot_are_explained_from_the_history(site: Site) -> None:
    await site.worker()
    done, bad = await end_some_jobs(site)
    await site.until(lambda: is_moved(site))
    await site.redis.delete(keys.RESULT + done, keys.RESULT + bad)
    assert re.fullmatch(
        f"done: finished {INSTANT} after 1 try with the outcome created", await reason_of(site, done)
    )

    assert (await site.command("dead", "retry", bad, "--yes")).code == 0
    await site.until(lambda: has_ended(site, 3))
    assert (await site.command("dead", "discard", bad, "--yes")).code == 0
    await site.redis.delete(keys.RESULT + bad)
    died = f"was dead-lettered {INSTANT} after 1 try: permanent error \\(InvalidPayload\\)"
    kept = "; no dead letter of it is kept"
    again = "; 1 earlier end of this id \\(hospital-worker jobs show bad\\)"
    assert re.fullmatch(f"failed: {died}{kept}{again}", await reason_of(site, bad))
    shown = await site.command("jobs", "show", bad)
    assert shown.code == 0
    assert shown.out.count("dead (InvalidPayload), try 1") == 2
    assert "patient" not in shown.out
    nothing = await site.command("jobs", "abort", done)
    assert nothing.code == 1


async def test_an_unknown_job_is_unknown_to_the_history_too(site: Site) -> None:
    assert await reason_of(site, "never") == (
        "unknown: is not known: it was never enqueued, or it ended longer ago than the history reaches "
        "(WORKER_HISTORY_DAYS)"
    )


async def test_without_a_history_nothing_is_kept_and_the_list_says_so(site: Site) -> None:
    await site.worker(WORKER_HISTORY_DAYS="0")
    await end_some_jobs(site)

    assert not await site.redis.exists(keys.ENDED)
    done = await site.command("jobs", "list", WORKER_HISTORY_DAYS="0")
    assert (done.code, done.out) == (2, "")
    assert done.err == "hospital-worker: no history of ended jobs is kept, because WORKER_HISTORY_DAYS is 0\n"


async def test_what_mongodb_cannot_answer_is_said_in_one_line(site: Site) -> None:
    unavailable = {"MONGODB_URL": "mongodb://127.0.0.1:1/?replicaSet=rs0", "MONGODB_SELECTION_TIMEOUT": "0.5"}
    for command in (("list",), ("explain", "never"), ("show", "never")):
        done = await site.command("jobs", *command, **unavailable)
        assert (done.code, done.out) == (2, "")
        assert re.fullmatch(r"hospital-worker: MONGODB_URL: no server answers at 127.0.0.1:1 .+\n", done.err)
