"""Worker processes log neither secrets nor payloads, even at level DEBUG, however their jobs end."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.acceptance.conftest import Site
from tests.security.guarded_mongo import DATABASE, GuardedMongo
from tests.security.scanner import CANARY, scan
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.queue import keys
from worker.queue.scripts import Enqueue

SIGNING = {"k1": f"{CANARY}-signing"}
RECORD = {
    "hospital_name": f"{CANARY} Hospital",
    "source": "cms",
    "external_id": "logs",
    "phone": CANARY,
    "attributes": {CANARY: CANARY},
}
ACT = {"actor": CANARY, "reason": CANARY}
WRONG = {CANARY: CANARY, "record": {"beds": CANARY, CANARY: [CANARY]}}


@pytest_asyncio.fixture
async def site(guarded: GuardedMongo, tmp_path: Path) -> AsyncIterator[Site]:
    async with EmbeddedRedis(password=CANARY) as redis:
        site = Site(redis, guarded, tmp_path)
        yield site
        await site.close()


async def test_no_outcome_of_a_job_logs_a_payload_or_a_secret(site: Site, tmp_path: Path) -> None:
    run = await site.start(
        LOG_LEVEL="DEBUG",
        WORKER_POLL_DELAY="0.05",
        MONGODB_DATABASE=DATABASE,
        QUEUE_SIGNING_KEYS=f"k1:{SIGNING['k1']}",
    )

    async def job(function: str, payload: Any, *more: Any, signing: dict[str, str] = SIGNING) -> str:
        job_id = f"{function}:logs-{len(started)}"
        message: dict[str, Any] = {"f": function, "a": [payload, *more], "k": {}, "t": None, "et": 1}
        await site.scripts.enqueue([Enqueue(job_id, "arq:queue", Codec(signing).encode(message))])
        started.append(job_id)
        await site.until(lambda: site.redis.exists(keys.RESULT + job_id), 30)
        return job_id

    started: list[str] = []
    known = {"hospital_id": "cms:logs"}
    done = [
        await job("ingest_hospital", {"record": RECORD}),
        await job("ingest_hospitals", {"records": [RECORD, WRONG, CANARY]}),
        await job("register_hospital", {"record": RECORD, **ACT}),
        await job("register_hospital", {"record": RECORD, **ACT}),
        await job("amend_hospital", {**known, "changes": {"phone": f"{CANARY} 2"}, **ACT}),
        await job("withdraw_hospital", {**known, **ACT}),
    ]
    failed = [
        await job("ingest_hospital", WRONG),
        await job("ingest_hospital", {"record": RECORD}, CANARY),
        await job("ingest_hospital", {"record": RECORD}, signing={}),
    ]
    ends = [(await site.result(job_id))["s"] for job_id in (*done, *failed)]
    assert ends == [True] * len(done) + [False] * len(failed)
    run.send(signal.SIGTERM)
    await run.ended()
    assert "ingest_hospital" in run.log
    assert scan([], tmp_path) == []


def test_a_json_log_contains_no_control_codes() -> None:
    """Any user who can write to Redis can choose a job id, and control codes in it would act on a terminal."""
    job_id = "id\x1b[2J\nforged"
    code = (
        "import structlog\n"
        "from worker.logs import configure_logging\n"
        "from worker.settings import load_settings\n"
        "configure_logging(load_settings(log_format='json'))\n"
        f"structlog.get_logger('x').info('dead letter', job_id={job_id!r})\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = run.stderr.splitlines()
    assert "\x1b" not in line
    assert json.loads(line)["job_id"] == job_id
