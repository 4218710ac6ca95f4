"""How long the pages take that read MongoDB, with a history of 100,000 jobs and 100,000 actions."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.acceptance.conftest import Site
from tests.integration.monitoring.dashboard.conftest import serving
from worker.contract import DEFAULT_QUEUE
from worker.contract.actions import Action
from worker.contract.job_ends import EndGroup, JobEnd, encode_traces
from worker.mongo.actions import store_actions
from worker.mongo.client import MongoHandle, open_mongo
from worker.mongo.job_history import JobHistory
from worker.mongo.schema import ensure_schema
from worker.queue.heartbeats import CronPlan, Heartbeat, redis_time, write_heartbeat

GROUPS, IN_GROUP = 1_000, 100
ACTIONS = 100_000
CRON_JOBS = [f"cron:{number}" for number in range(50)]
# A page that reads everything takes longer each time; other tests slow down some of its loads.
LONGEST_S = 0.5
LARGEST_BYTES = 200_000
BASE_MS = 1_764_300_000_000
PATHS = (
    "/jobs",
    "/jobs?function=register_hospital",
    "/jobs?hospital=cms:5-5",
    # Each group has both, no job has.
    "/jobs?function=register_hospital&outcome=dead",
    "/jobs?error=NoSuchError&since=2025-01-01",
    "/jobs?id=ingest_hospital:500-7",
    "/actions",
    "/actions?actor=ann@dashboard",
    "/actions?act=pause",
    "/schedules",
)


def group(number: int) -> EndGroup:
    at_ms = BASE_MS + number * 1_000
    ends = [
        JobEnd(
            f"ingest_hospital:{number}-{position}",
            CRON_JOBS[number % 50] if position == 1 else "register_hospital" if position % 2 else "ingest_hospital",
            DEFAULT_QUEUE, "complete" if position % 2 else "dead", 1, at_ms, at_ms, at_ms,
            status="created" if position % 2 else "", error="" if position % 2 else "TransientError",
            reason="permanent error", batch=f"load-{number % 10}", hospital_id=f"cms:{number}-{position}",
        )
        for position in range(IN_GROUP)
    ]  # fmt: skip
    traces = encode_traces("vm:1:a", [tuple(end) for end in ends]).decode()
    return EndGroup(f"{at_ms:013}-000000-vm:1:a", at_ms, "vm:1:a", traces)


async def plant(mongo: MongoHandle) -> None:
    history = JobHistory(mongo, days=30_000, most_jobs=10_000_000)
    for start in range(0, GROUPS, 100):
        await history.store([group(number) for number in range(start, start + 100)])
    begin = datetime.fromtimestamp(BASE_MS / 1000, UTC)
    for start in range(0, ACTIONS, 10_000):
        await store_actions(
            mongo,
            [
                Action(
                    actor="ann@dashboard" if number == 5 else "ops@vm", act="pause" if number == 7 else "abort",
                    target="job", ids=(f"job:{number}",), at=begin + timedelta(seconds=number), reason="r" * 100,
                )
                for number in range(start, start + 10_000)
            ],
        )  # fmt: skip


async def test_pages_over_mongodb_are_small_and_quick(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    mongo = open_mongo(site.settings)
    await ensure_schema(mongo)
    await plant(mongo)
    await mongo.close()
    at = await redis_time(site.redis)
    plans = [CronPlan(name=name, queue=DEFAULT_QUEUE, next_run=at) for name in CRON_JOBS]
    heartbeat = Heartbeat(
        worker="w", host="vm", pid=1, ready=True, queues=[DEFAULT_QUEUE], slots=1, running=0, complete=0, retried=0,
        failed=0, started_at=at, at=at, cron_jobs=plans,
    )  # fmt: skip
    found = {}
    url, database = site.environment["MONGODB_URL"], site.environment["MONGODB_DATABASE"]
    async with serving(site.environment["REDIS_URL"], mongodb_url=url, mongodb_database=database) as page:
        browser = await page.log_in("operator")
        for path in PATHS:
            times = []
            for _ in range(5):
                # Workers write one each second.
                now = await redis_time(site.redis)
                await write_heartbeat(site.redis, heartbeat.model_copy(update={"at": now}))
                began = time.perf_counter()
                answer = await browser.get(path)
                times.append(time.perf_counter() - began)
                assert answer.status_code == 200, path
                assert len(answer.content) < LARGEST_BYTES, path
            found[path] = min(times)
    record_property("seconds", found)

    assert {path: seconds for path, seconds in found.items() if seconds > LONGEST_S} == {}
