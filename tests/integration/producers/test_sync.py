"""The synchronous client: from threads, in forked processes, and at the interpreter's exit."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from producers import SyncHospitalProducer
from tests.support.ending_worker import EndingWorker
from tests.support.waiting import until
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, HospitalRecord, IngestHospital, IngestOutcome
from worker.embedded import EmbeddedRedis
from worker.errors import InvalidPayload, JobNotFound, OutageError
from worker.queue import keys
from worker.settings import Settings

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
PAYLOADS = [IngestHospital(record=HospitalRecord(hospital_name=f"H {number}")) for number in range(1_203)]


@pytest.fixture
def sync(settings: Settings) -> Iterator[SyncHospitalProducer]:
    with SyncHospitalProducer.connect(settings, patience=15) as producer:
        yield producer


@pytest.fixture
def worker(redis: ArqRedis) -> EndingWorker:
    return EndingWorker(redis)


async def test_a_job_is_enqueued_and_its_outcome_is_awaited(
    sync: SyncHospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    receipt = await asyncio.to_thread(sync.ingest_hospital, MERCY, idempotency_key="k")
    assert (receipt.job_id, receipt.state) == ("ingest_hospital:k", "new")
    waiting = asyncio.create_task(asyncio.to_thread(receipt.outcome, 30))
    await until(lambda: redis.exists(keys.WAITER + receipt.job_id))
    await worker.end_all()

    assert (await waiting).status == "created"
    assert (await asyncio.to_thread(sync.status, receipt.job_id)).state == "done"
    again = await asyncio.to_thread(sync.receipt(INGEST_HOSPITAL, receipt.job_id).outcome, 1)
    assert again == IngestOutcome(hospital_id="cms:1", revision=1, status="created")


async def test_errors_are_those_of_the_asynchronous_client(sync: SyncHospitalProducer) -> None:
    with pytest.raises(InvalidPayload, match="idempotency_key"):
        await asyncio.to_thread(sync.ingest_hospital, MERCY, idempotency_key="")
    with pytest.raises(JobNotFound):
        await asyncio.to_thread(sync.receipt(INGEST_HOSPITAL, "ingest_hospital:never").outcome, 1)
    receipt = await asyncio.to_thread(sync.ingest_hospital, MERCY)
    with pytest.raises(TimeoutError, match="still queued"):
        await asyncio.to_thread(receipt.outcome, 0.02)


async def test_many_jobs_are_enqueued_and_awaited_in_the_callers_thread(
    sync: SyncHospitalProducer, redis: ArqRedis, worker: EndingWorker
) -> None:
    threads: set[str] = set()

    def payloads() -> Iterator[IngestHospital]:
        for payload in PAYLOADS:
            threads.add(threading.current_thread().name)
            yield payload

    def load() -> list[object]:
        threading.current_thread().name = "caller"
        receipts = sync.enqueue_many(INGEST_HOSPITAL, payloads())
        return list(
            sync.wait_all(receipts, timeout=60, on_progress=lambda *_: threads.add(threading.current_thread().name))
        )

    loading = asyncio.create_task(asyncio.to_thread(load))
    await until(lambda: redis.exists(keys.WAITERS))
    while not loading.done():
        await worker.end_all()
        await asyncio.sleep(0.01)

    assert {type(outcome) for outcome in await loading} == {IngestOutcome}
    assert len(await loading) == len(PAYLOADS)
    assert threads == {"caller"}


async def test_a_batch_is_filled_and_read(sync: SyncHospitalProducer, worker: EndingWorker) -> None:
    def fill() -> list[str | None]:
        batch = sync.batch("b")
        assert batch.create()
        receipts = batch.add(INGEST_HOSPITAL, iter(PAYLOADS[:3]), keys=map(str, range(3)))
        batch.seal()
        assert [job.job_id for job in batch.jobs()] == [receipt.job_id for receipt in receipts]
        return [receipt.state for receipt in receipts]

    assert await asyncio.to_thread(fill) == ["new"] * 3
    assert (await asyncio.to_thread(sync.batch("b").cancel)).state == "cancelled"


async def test_many_threads_share_one_connection_pool(sync: SyncHospitalProducer, redis: ArqRedis) -> None:
    def load() -> None:
        with ThreadPoolExecutor(32) as threads:
            list(threads.map(lambda _: sync.ingest_hospital(MERCY), range(400)))

    await asyncio.to_thread(load)
    assert await redis.zcard(DEFAULT_QUEUE) == 400
    assert len(await redis.client_list()) < 30


async def test_leaving_closes_the_connections_and_the_thread(settings: Settings, redis: ArqRedis) -> None:
    def use() -> None:
        with SyncHospitalProducer.connect(settings) as producer:
            producer.ingest_hospital(MERCY)

    before = threading.active_count()
    await asyncio.to_thread(use)
    await until(lambda: _only_client(redis))
    assert "hospital-producer" not in [thread.name for thread in threading.enumerate()]
    assert threading.active_count() <= before + 1


async def _only_client(redis: ArqRedis) -> bool:
    return len(await redis.client_list()) == 1


async def test_one_that_nothing_refers_to_closes_itself(settings: Settings, redis: ArqRedis) -> None:
    def use() -> None:
        SyncHospitalProducer.connect(settings).ingest_hospital(MERCY)

    async def is_closed() -> bool:
        # An error that redis-py has raised, as for a script that a new server does not know, and its frames, which
        # refer to the producer, refer to each other until Python collects garbage.
        gc.collect()
        return await _only_client(redis)

    await asyncio.to_thread(use)
    await until(is_closed)
    assert "hospital-producer" not in [thread.name for thread in threading.enumerate()]


async def test_entering_without_redis_is_reported_and_leaves_nothing(
    own_redis: EmbeddedRedis, settings: Settings
) -> None:
    def use() -> None:
        with SyncHospitalProducer.connect(settings):
            pytest.fail("a server answered")

    await own_redis.kill()
    with pytest.raises(OutageError, match="does not answer"):
        await asyncio.to_thread(use)
    assert "hospital-producer" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("program", "jobs"),
    [
        ("forgets_to_close", 1),
        ("waits_in_a_thread_at_exit", 1),
        ("forks_before_the_first_call", 24),
        ("forks_after_a_call", 18),
        ("children_leave_the_connection_of_the_parent_alone", 4),
    ],
)
async def test_a_program_ends_without_a_hang_or_a_warning(
    own_redis: EmbeddedRedis, redis: ArqRedis, program: str, jobs: int
) -> None:
    # A fork of a process with threads is what is tested here.
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *warnings,
        str(Path(__file__).with_name("sync_script.py")),
        program,
        env=os.environ | {"REDIS_URL": own_redis.url, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out.decode(), err.decode()) == (0, "", "")
    assert await redis.zcard(DEFAULT_QUEUE) == jobs
    await until(lambda: _only_client(redis))


def test_ctrl_c_ends_a_call(own_redis: EmbeddedRedis, settings: Settings) -> None:
    with SyncHospitalProducer.connect(settings) as producer:
        receipt = producer.ingest_hospital(MERCY)

        def interrupt() -> None:
            redis = producer.asynchronous._queue._redis
            while not producer.loop.run(lambda: redis.exists(keys.WAITER + receipt.job_id)):
                pass
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            receipt.outcome(timeout=60)
        assert producer.status(receipt.job_id).state == "queued"
