"""The pages of ended jobs and of one job, over a history in MongoDB and in Redis."""

import html
import re
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import ROLES, Page, serving
from worker.contract.job_ends import EndGroup, JobEnd, encode_traces
from worker.mongo.client import MongoHandle
from worker.mongo.documents import now
from worker.mongo.job_history import JobHistory
from worker.queue import keys

DAY_MS = 86_400_000
NOW_MS = round(now().timestamp() * 1000)
GONE: dict[str, Any] = {"mongodb_url": "mongodb://127.0.0.1:1/?replicaSet=rs0"}
END = JobEnd(
    "ingest_hospital:1", "ingest_hospital", "arq:queue", "complete", 1, NOW_MS - 3_000, NOW_MS - 2_000,
    NOW_MS - 1_000, status="created", hospital_id="cms:1",
)  # fmt: skip
DEAD = END._replace(
    job_id="register_hospital:2", function="register_hospital", outcome="dead", status="", error="<b>Bad",
    hospital_id="cms:2", batch="load-7", reason="permanent error",
)  # fmt: skip


def group(stored_ms: int, ends: Sequence[JobEnd]) -> EndGroup:
    traces = encode_traces("w", [tuple(end) for end in ends]).decode()
    return EndGroup(f"{stored_ms:013}-000000-w", stored_ms, "w", traces)


async def store(mongo: MongoHandle, *groups: EndGroup) -> None:
    await JobHistory(mongo, days=30, most_jobs=10_000_000).store(groups)


async def put_aside(site: Site, *ends: JobEnd) -> None:
    """Put ends where a worker puts them first."""
    await site.redis.xadd(keys.ENDED, {"t": encode_traces("w", [tuple(end) for end in ends])})


def jobs_in(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return re.findall(r'<th scope="row"><a href="/jobs\?id=[^"]*">([^<]*)</a>', answer.text)


@pytest.mark.parametrize("role", ROLES)
async def test_ended_jobs_are_found_by_each_filter(page: Page, registry: MongoHandle, role: str) -> None:
    await store(registry, group(NOW_MS - DAY_MS, [END]), group(NOW_MS - 5_000, [DEAD]))
    both, done, dead = [DEAD.job_id, END.job_id], [END.job_id], [DEAD.job_id]
    browser = await page.log_in(role)

    for wanted, jobs in (
        ({}, both),
        ({"function": " ingest_hospital "}, done),
        ({"hospital": "cms:2"}, dead),
        ({"outcome": "dead"}, dead),
        ({"error": "<b>Bad"}, dead),
        ({"batch": "load-7"}, dead),
        ({"outcome": "dead", "function": "ingest_hospital"}, []),
        ({"since": "2999-01-01"}, []),
        ({"until": "2999-01-01T00:00"}, both),
        ({"since": "2020-01-01T00:00", "hospital": "cms:1"}, done),
        ({"until": "2020-01-01"}, []),
    ):
        assert jobs_in(await browser.get("/jobs", params=wanted)) == jobs, wanted
    shown = (await browser.get("/jobs", params={"error": "<b>Bad"})).text
    assert "&lt;b&gt;Bad</td>" in shown
    assert 'value="&lt;b&gt;Bad"' in shown
    assert "No more jobs match." in (await browser.get("/jobs?function=none")).text
    assert (await browser.get("/jobs?since=yesterday")).status_code == 400


async def test_no_ended_job_is_left_out_or_listed_twice_page_by_page(
    site: Site, page: Page, registry: MongoHandle
) -> None:
    names = [f"job:{number:03}" for number in range(130)]
    ends = [END._replace(job_id=name) for name in names]
    await store(registry, group(NOW_MS - 9_000, ends[:20]), group(NOW_MS - 8_000, ends[20:50]))
    await put_aside(site, *ends[50:90])
    await put_aside(site, *ends[90:])
    browser = await page.log_in("viewer")

    found: list[str] = []
    sizes = []
    address = "/jobs?outcome=complete"
    while address:
        answer = await browser.get(address)
        found += jobs_in(answer)
        sizes.append(len(jobs_in(answer)))
        more = re.search(r'<a href="([^"]+)">Next page', answer.text)
        address = html.unescape(more[1]) if more else ""

    assert found == names[::-1]
    assert sizes == [50, 50, 30]


async def test_a_search_for_what_is_rare_looks_at_some_jobs_a_page(
    site: Site, page: Page, registry: MongoHandle
) -> None:
    # Each group has both values, none of its jobs has.
    mixed = [END, DEAD]
    groups = [group(NOW_MS - 9_000 + number, mixed) for number in range(200)]
    rare = END._replace(outcome="dead")
    await store(registry, group(NOW_MS - 20_000, [rare]), *groups)
    browser = await page.log_in("viewer")

    answer = await browser.get("/jobs?function=ingest_hospital&outcome=dead")

    assert "None of the 20,000 jobs that were looked at matches." in answer.text
    more = re.search(r'<a href="([^"]+)">Next page', answer.text)
    assert more
    assert jobs_in(await browser.get(html.unescape(more[1]))) == [rare.job_id]


async def test_a_job_that_redis_has_forgotten_has_its_timeline_and_links(
    site: Site, page: Page, registry: MongoHandle
) -> None:
    done = DEAD._replace(
        outcome="complete", status="registered", error="", tries=2, enqueued_ms=NOW_MS - 900,
        started_ms=NOW_MS - 800, ended_ms=NOW_MS - 700,
    )  # fmt: skip
    await store(registry, group(NOW_MS - 1_000, [DEAD]))
    await put_aside(site, done)
    browser = await page.log_in("viewer")

    shown = (await browser.get("/jobs", params={"id": DEAD.job_id})).text

    moments = re.findall(r"<li>[^(]*\([^)]*\): (.*)</li>", shown)
    assert moments == [
        "enqueued",
        "try 1 began on worker w",
        "try 1 failed: dead-lettered (&lt;b&gt;Bad)",
        "enqueued",
        "try 2 began on worker w",
        "try 2 ended well (registered)",
    ]
    assert 'href="/hospital?id=cms%3A2"' in shown
    assert 'href="/jobs?batch=load-7"' in shown
    # The batch is not an import.
    assert 'href="/import?' not in shown
    assert "<dd>done</dd>" in shown


async def test_a_job_of_an_import_leads_to_it(site: Site, page: Page) -> None:
    await site.worker()
    file = site.folder / "list.csv"
    file.write_text("Name,City\nMercy,Paris\n")
    assert (await site.run("producers", "ingest", str(file), "--source", "mine")).code == 0
    browser = await page.log_in("viewer")

    async def chunk() -> str:
        found = jobs_in(await browser.get("/jobs?function=ingest_hospitals"))
        return found[0] if found else ""

    job_id = await site.until(chunk)
    shown = (await browser.get("/jobs", params={"id": job_id})).text

    link = re.search(r'href="(/import\?id=[^"]+)"', shown)
    assert link
    assert "list.csv</bdi>: 1 rows" in (await browser.get(link[1])).text


async def test_without_mongodb_what_redis_has_is_shown_with_what_to_do(site: Site) -> None:
    await put_aside(site, END, DEAD)
    async with serving(site.environment["REDIS_URL"], **GONE) as page:
        browser = await page.log_in("viewer")

        listed, one = await browser.get("/jobs"), await browser.get("/jobs", params={"id": END.job_id})
        await site.put("ingest_hospital", {}, job_id="waits")
        waiting = await browser.get("/jobs?id=waits")

    assert jobs_in(listed) == [DEAD.job_id, END.job_id]
    assert "Restore MongoDB, then load this page again. Until then, only jobs" in listed.text
    assert "Restore MongoDB, then load this page again." in one.text
    assert "<dd>done</dd>" in one.text
    assert "try 1 ended well (created)" in one.text
    assert "Restore MongoDB" not in waiting.text
    assert "<dd>queued</dd>" in waiting.text


async def test_without_a_history_the_page_says_how_to_have_one(site: Site) -> None:
    async with serving(site.environment["REDIS_URL"], **GONE, worker_history_days=0) as page:
        browser = await page.log_in("viewer")

        listed, one = (await browser.get("/jobs")).text, (await browser.get("/jobs?id=none")).text

    for shown in (listed, one):
        assert "because WORKER_HISTORY_DAYS is 0. Set it to the days that it shall reach" in shown


async def test_without_redis_the_page_says_so(site: Site) -> None:
    settings: dict[str, Any] = {"mongodb_url": site.environment["MONGODB_URL"]}
    async with serving("redis://127.0.0.1:1/0", **settings) as page:
        answer = await (await page.log_in("viewer")).get("/jobs")

    assert (answer.status_code, "Restore Redis, then load this page again." in answer.text) == (503, True)
