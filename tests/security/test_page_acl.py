"""Every page for operators, and every act on it, under the rules of docs/security.md for Redis and MongoDB."""

import html
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any, get_args

import httpx
import pytest_asyncio

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.bulk import FAST, SLOW, begin, ended, fewer_than, has_result, plant
from tests.integration.monitoring.dashboard.conftest import (
    ACTIONS,
    PAGES,
    Page,
    form_of,
    plant_dead_letter,
    post,
    serving,
)
from tests.security.conftest import RunJob
from tests.security.fleet import Fleet
from tests.security.guarded_mongo import DATABASE, GuardedMongo
from tests.security.test_mongo_role import ACT, IMPORT, RECORD
from tests.support.waiting import until
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE
from worker.contract.actions import Act, Action
from worker.contract.job_ends import EndGroup, JobEnd, encode_traces
from worker.mongo.actions import store_actions
from worker.mongo.claims import release_claims
from worker.mongo.client import MongoHandle
from worker.mongo.job_history import JobHistory
from worker.queue import keys
from worker.queue.heartbeats import CronPlan

QUEUED, DEFERRED, PAST = "ingest_hospital:queued", "ingest_hospital:deferred", "ingest_hospital:past"
RETRIED, DISCARDED, EDITED = "ingest_hospital:retried", "ingest_hospital:discarded", "ingest_hospital:edited"
LOADED, CRON_JOB, HOSPITAL = "acl-1", "cron:report", "cms:acl"
NOW_MS = round(time.time() * 1000)
END = JobEnd(
    PAST, "ingest_hospital", DEFAULT_QUEUE, "complete", 1, NOW_MS, NOW_MS, NOW_MS, status="created",
    hospital_id=HOSPITAL,
)  # fmt: skip
# More than one page of dead letters.
MANY = 60


class Visits:
    """The addresses that a browser asked for, and the answers that were not a page."""

    def __init__(self, browser: httpx.AsyncClient) -> None:
        self.found: dict[str, set[str]] = {"GET": set(), "POST": set()}
        self.refused: list[str] = []
        browser.event_hooks = {"response": [self._note]}

    async def _note(self, answer: httpx.Response) -> None:
        method, path = answer.request.method, answer.request.url.path
        self.found[method].add(path)
        if answer.status_code not in (200, 303) or answer.headers.get("location", "").startswith("/login"):
            self.refused.append(f"{method} {answer.request.url}: {answer.status_code}")


@pytest_asyncio.fixture
async def planted(fleet: Fleet) -> AsyncIterator[Planted]:
    planted = Planted(fleet.admin_url)
    yield planted
    await planted.redis.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def page(fleet: Fleet, guarded: GuardedMongo) -> AsyncIterator[Page]:
    url = fleet.url("hospital_operator")
    async with serving(url, mongodb_url=guarded.url, mongodb_database=DATABASE) as page:
        yield page


async def fill_redis(planted: Planted) -> None:
    for job_id in (RETRIED, DISCARDED, EDITED):
        await plant_dead_letter(planted, job_id, {"record": RECORD})
    await plant(planted, MANY, "register_hospital")
    await planted.batches.create(LOADED, None)
    await planted.enqueue("ingest_hospitals:1", queue=BULK_QUEUE, batch=LOADED)
    for number in range(MANY):
        await planted.enqueue(f"ingest_hospital:{number:02}")
    await planted.enqueue(QUEUED)
    await planted.enqueue(DEFERRED, delay_ms=3_600_000)
    aside = END._replace(job_id="ingest_hospital:aside")
    await planted.redis.xadd(keys.ENDED, {"t": encode_traces("w", [tuple(aside)])})


async def fill_mongo(mongo: MongoHandle, run_job: RunJob) -> None:
    record = {**RECORD, "external_id": "acl"}
    await run_job("register_hospital", {"record": record, **ACT})
    await run_job("amend_hospital", {"hospital_id": HOSPITAL, "changes": {"beds": 2}, **ACT})
    await run_job("open_import", {**IMPORT, "import_id": LOADED, "fingerprint": "ac" * 32})
    await run_job("ingest_hospitals", {"records": [record], "import_id": LOADED, "lines": [2], "chunk": 0})
    await release_claims(mongo, LOADED)
    traces = encode_traces("w", [tuple(END)]).decode()
    past = EndGroup(f"{NOW_MS:013}-000000-w", NOW_MS, "w", traces)
    await JobHistory(mongo, days=30, most_jobs=1_000).store([past])
    await store_actions(mongo, [Action(actor="ann@acl", act="pause", target="queue", ids=(DEFAULT_QUEUE,))])


async def look(browser: httpx.AsyncClient, path: str, **params: Any) -> str:
    """Load a page, and the next ones if the list goes on."""
    answer = await browser.get(path, params=params)
    more = re.search(r'<a href="([^"]+)">Next page', answer.text)
    if more:
        await browser.get(html.unescape(more[1]))
    return answer.text


async def look_at_stream(browser: httpx.AsyncClient, path: str, **params: str) -> None:
    async with browser.stream("GET", path, params=params) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                return
    raise AssertionError(f"{path} sent nothing")


async def look_at_all(browser: httpx.AsyncClient) -> None:
    for job_id in (QUEUED, DEFERRED, PAST, RETRIED, "ingest_hospital:aside", "ingest_hospitals:1"):
        await look(browser, "/jobs", id=job_id)
    for path, params in (
        ("/", {}),
        ("/queues", {}),
        ("/queue", {"name": DEFAULT_QUEUE}),
        ("/jobs", {}),
        ("/jobs", {"function": "ingest_hospital", "hospital": HOSPITAL, "outcome": "complete"}),
        ("/dead", {}),
        ("/dead", {"function": "register_hospital", "error": "E"}),
        ("/dead/letter", {"id": RETRIED}),
        ("/dead/edit", {"id": EDITED}),
        ("/dead/discard", {"id": DISCARDED}),
        ("/dead/bulk", {"act": "retry"}),
        ("/dead/bulk", {"act": "discard", "error": "E", "whole": "1"}),
        ("/dead/operations", {}),
        ("/imports", {}),
        ("/import", {"id": LOADED}),
        ("/import/cancel", {"id": LOADED}),
        ("/import/report", {"id": LOADED}),
        ("/hospitals", {"text": "merc"}),
        ("/hospitals", {"text": HOSPITAL}),
        ("/hospital", {"id": HOSPITAL}),
        ("/hospital/entry", {"id": HOSPITAL, "seq": "2"}),
        ("/workers", {}),
        ("/actions", {}),
        ("/actions", {"actor": "ann@acl", "act": "pause", "since": "2025-01-01"}),
    ):
        await look(browser, path, **params)
    await look_at_stream(browser, "/live")


async def run_a_cron_job(browser: httpx.AsyncClient, planted: Planted) -> None:
    cron_job = {"name": CRON_JOB, "queue": DEFAULT_QUEUE}
    await planted.heartbeat(functions=[CRON_JOB], cron_jobs=[CronPlan(name=CRON_JOB, queue=DEFAULT_QUEUE)])
    await look(browser, "/schedules")
    await look(browser, "/schedules/run", **cron_job)
    await post(browser, "/schedules/run", **cron_job)


async def act_on_one(browser: httpx.AsyncClient) -> None:
    for path, job_id, fields in (
        ("/queues/pause", "", {"what": f"queue:{DEFAULT_QUEUE}"}),
        ("/queues/resume", "", {"what": f"queue:{DEFAULT_QUEUE}"}),
        ("/queues/pause", "", {"what": "function:ingest_hospital"}),
        ("/queues/resume", "", {"what": "function:ingest_hospital"}),
        ("/jobs/abort", QUEUED, {}),
        ("/jobs/abort", DEFERRED, {}),
        ("/dead/retry", RETRIED, {}),
        ("/dead/discard", DISCARDED, {}),
        ("/import/cancel", LOADED, {}),
    ):
        answer = await post(browser, path, job_id, reason="under the rules", **fields)
        await browser.get(answer.headers["location"])
    digest, _ = form_of(await look(browser, "/dead/edit", id=EDITED))
    corrected = json.dumps({"args": [{"record": {"hospital_name": "Grace"}}], "kwargs": {}})
    await post(browser, "/dead/edit", EDITED, arguments=corrected, digest=digest)


async def act_on_many(browser: httpx.AsyncClient, planted: Planted) -> None:
    operation_id = await begin(browser, "discard", SLOW)
    await until(lambda: fewer_than(planted, MANY))
    await look(browser, "/dead/operation", id=operation_id)
    await look_at_stream(browser, "/dead/operation/live", id=operation_id)
    await post(browser, "/dead/operation/stop", operation_id)
    # What runs has noticed, so that it cannot go on beside the one that continues.
    await until(lambda: has_result(planted, "stopped"))
    for path in ("/dead/operation/continue", "/dead/operation/stop"):
        await post(browser, path, operation_id)
    assert (await ended(planted, await begin(browser, "retry", FAST))).done


async def test_every_page_and_every_act_works_under_the_rules(
    fleet: Fleet, planted: Planted, mongo: MongoHandle, run_job: RunJob, page: Page
) -> None:
    await fill_redis(planted)
    await fill_mongo(mongo, run_job)
    browser = await page.log_in("operator")
    visits = Visits(browser)

    await run_a_cron_job(browser, planted)
    await look_at_all(browser)
    await act_on_one(browser)
    await act_on_many(browser, planted)

    assert visits.refused == []
    assert await fleet.refusals() == []
    assert visits.found["GET"] >= set(PAGES)
    assert visits.found["POST"] == set(ACTIONS)
    acts = {json.loads(stored)["act"] for stored in (await planted.redis.hgetall(keys.ACTIONS)).values()}
    assert acts == set(get_args(Act)) - {"import"}
    assert await fleet.used() >= {"zmscore", "zrank", "zrevrange", "zrevrank"}
