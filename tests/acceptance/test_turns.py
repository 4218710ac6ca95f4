"""How soon a source's jobs start while those of all others wait in great number.

Run with `SOURCE_WAITING=1000000`, while nothing else computes: beside other tests, times say nothing.
"""

import math
import os
from collections.abc import Callable

import pytest

from producers.client import HospitalProducer
from tests.acceptance.conftest import Site
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, HospitalRecord, IngestHospital
from worker.queue import keys
from worker.settings import load_settings

WAITING = int(os.environ.get("SOURCE_WAITING", "30000"))
# A worker that starts connects to MongoDB meanwhile, and is measured when it has done so many.
WARM_UP = 5_000
# Jobs of the other source come so many at a time, one group when the one before has ended.
TOGETHER, GROUPS = 10, 20
# Beside other tests the time says little; behind the other jobs they would wait for 10 s and more.
LONGEST_S = 0.1 if WAITING >= 1_000_000 else 3
SETTINGS = {"SOURCE_QUEUES": "calm=arq:queue:calm", "WORKER_QUEUES": "arq:queue,arq:queue:bulk,arq:queue:calm=300"}


def hospital(source: str, number: int) -> IngestHospital:
    return IngestHospital(
        record=HospitalRecord(hospital_name=f"Hospital {number}", source=source, external_id=str(number))
    )


async def flood(producer: HospitalProducer) -> None:
    jobs = (hospital("flood", number) for number in range(WAITING))
    async for _ in producer.enqueue_stream(INGEST_HOSPITAL, jobs):
        pass


async def pickups(site: Site, producer: HospitalProducer) -> list[float]:
    """Enqueue the other source's jobs; returns how long each waited, in seconds, the shortest first."""
    found = []
    for group in range(GROUPS):
        jobs = [hospital("calm", group * TOGETHER + number) for number in range(TOGETHER)]
        receipts = await producer.enqueue_many(INGEST_HOSPITAL, jobs)
        await producer.wait_all(receipts, timeout=60)
        results = await site.redis.mget([keys.RESULT + receipt.job_id for receipt in receipts])
        messages = [Codec().decode(result) for result in results]
        found += [(message["st"] - message["et"]) / 1000 for message in messages]
    return sorted(found)


@pytest.mark.timeout(240)
async def test_a_source_does_not_wait_behind_the_jobs_of_all_others(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    settings = load_settings(**{name.lower(): value for name, value in (site.environment | SETTINGS).items()})
    async with HospitalProducer.connect(settings) as producer:
        await flood(producer)
        await site.worker(**SETTINGS)
        await site.until(lambda: _is_warm(site), 60)
        waits = await pickups(site, producer)

    p50, p99 = (waits[math.ceil(len(waits) * part) - 1] for part in (0.5, 0.99))
    record_property("pick-up p50 and p99 in ms", (round(p50 * 1000), round(p99 * 1000)))
    # Otherwise there was nothing that they could have waited behind.
    assert await site.redis.zcard(DEFAULT_QUEUE) > 0
    assert p99 <= LONGEST_S


async def _is_warm(site: Site) -> bool:
    return int(await site.redis.zcard(DEFAULT_QUEUE)) <= WAITING - WARM_UP
