import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from producers.client import HospitalProducer
from worker.codec import Codec
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, HospitalRecord, IngestHospital
from worker.embedded import EmbeddedRedis, ports
from worker.errors import ConfigurationError, OutageError, RegistryError, WritesRefused
from worker.queue.claim import ClaimedJob
from worker.queue.completion import Completion
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.scripts import Scripts
from worker.settings import Settings, load_settings

MERCY = HospitalRecord(hospital_name="Mercy")
PASSWORD = "w7Yq3secret"


class LosingScripts:
    """The real scripts, except that the first answers of `enqueue` are lost after the script ran."""

    def __init__(self, producer: HospitalProducer, losses: int) -> None:
        self._enqueue = producer._queue._scripts.enqueue
        self._losses = losses
        self.calls = 0
        self.failed = asyncio.Event()

    async def enqueue(self, *args: Any) -> Any:
        self.calls += 1
        try:
            states = await self._enqueue(*args)
        except RedisConnectionError:
            self.failed.set()
            raise
        if self.calls <= self._losses:
            raise RedisConnectionError("lost after the script ran")
        return states


def lose_answers(producer: HospitalProducer, losses: int) -> LosingScripts:
    scripts: Any = LosingScripts(producer, losses)
    producer._queue._scripts = scripts
    losing: LosingScripts = scripts
    return losing


async def test_a_job_enqueued_while_redis_is_down_is_accepted_once(
    own_redis: EmbeddedRedis, producer: HospitalProducer, redis: ArqRedis
) -> None:
    await own_redis.kill()
    scripts = lose_answers(producer, 0)
    call = asyncio.create_task(producer.ingest_hospital(MERCY))
    await scripts.failed.wait()
    assert not call.done()
    await own_redis.start()

    receipt = await call

    assert receipt.state == "new"
    assert scripts.calls > 1
    assert await redis.zrange(DEFAULT_QUEUE, 0, -1) == [receipt.job_id.encode()]


async def test_an_answer_that_is_lost_after_the_script_ran_changes_nothing(
    producer: HospitalProducer, redis: ArqRedis
) -> None:
    scripts = lose_answers(producer, 2)

    receipt = await producer.ingest_hospital(MERCY)

    assert (receipt.state, scripts.calls) == ("new", 3)
    assert await redis.zcard(DEFAULT_QUEUE) == 1


class EndingScripts(LosingScripts):
    """Loses the first answer, after a worker has ended each job that the attempt enqueued."""

    def __init__(self, producer: HospitalProducer, redis: ArqRedis, action: Literal["done", "dead"]) -> None:
        super().__init__(producer, 1)
        self._worker, self._action = Scripts(redis), action

    async def enqueue(self, *args: Any) -> Any:
        try:
            return await super().enqueue(*args)
        except RedisConnectionError:
            for job in (await self._worker.claim("worker", 60_000, 1, [(DEFAULT_QUEUE, 1)])).jobs:
                await self._worker.finish([self._completion(job)])
            raise

    def _completion(self, job: ClaimedJob) -> Completion:
        envelope = Codec().decode(job.payload)
        result = {**envelope, "t": 1, "s": True, "r": {}, "st": 0, "ft": 0, "q": job.queue}
        failure = Failure(type="PermanentError", message="refused", tries=1, at_ms=0)
        dead_letter = DeadLetter(
            job_id=job.job_id.decode(),
            function="ingest_hospital",
            queue=job.queue,
            payload=payload_text(job.payload),
            reason="permanent",
            failure=failure,
            crashes=0,
            worker="worker",
        )
        record = dead_letter.model_dump_json().encode() if self._action == "dead" else b""
        kept = Codec().encode(result)
        return Completion(job.job_id, job.queue, "worker", self._action, kept, 60_000, record=record)


@pytest.mark.parametrize("action", ["done", "dead"])
async def test_a_job_that_ended_before_the_call_was_repeated_is_still_new(
    producer: HospitalProducer, redis: ArqRedis, action: Literal["done", "dead"]
) -> None:
    scripts: Any = EndingScripts(producer, redis, action)
    producer._queue._scripts = scripts

    assert (await producer.ingest_hospital(MERCY, idempotency_key="a")).state == "new"
    assert scripts.calls == 2
    # A job that an earlier call had enqueued is not new, even if answers are lost.
    again = lose_answers(producer, 3)
    assert (await producer.ingest_hospital(MERCY, idempotency_key="a")).state == action
    assert again.calls == 4


async def test_dropped_connections_are_reopened(producer: HospitalProducer, redis: ArqRedis) -> None:
    await producer.ingest_hospital(MERCY)
    for client in await redis.client_list():
        if client["cmd"] in ("evalsha", "info"):
            await redis.client_kill(client["addr"])

    assert (await producer.ingest_hospital(MERCY)).state == "new"
    assert await redis.zcard(DEFAULT_QUEUE) == 2


@pytest.mark.parametrize("patience", [0, -1, 0.2])
async def test_a_redis_that_stays_unavailable_is_an_outage(
    own_redis: EmbeddedRedis, settings: Settings, patience: float
) -> None:
    async with HospitalProducer.connect(settings, patience=patience) as producer:
        scripts = lose_answers(producer, 0)
        await own_redis.kill()

        message = r"Redis at 127\.0\.0\.1:\d+ does not answer .*; tried for 0 s$"
        with pytest.raises(OutageError, match=message) as lost:
            await producer.ingest_hospital(MERCY)
        assert lost.value.dependency == "Redis"
        assert scripts.calls >= 1
        with pytest.raises(OutageError):
            await producer.receipt(INGEST_HOSPITAL, "ingest_hospital:1").outcome(timeout=0)


@pytest.mark.parametrize("patience", [0, -1])
async def test_a_call_without_patience_still_makes_one_attempt(settings: Settings, patience: float) -> None:
    async with HospitalProducer.connect(settings, patience=patience) as producer:
        assert (await producer.ingest_hospital(MERCY)).state == "new"


async def test_a_call_to_a_frozen_redis_times_out(own_redis: EmbeddedRedis, settings: Settings) -> None:
    async with HospitalProducer.connect(settings, patience=0) as producer:
        own_redis.freeze()
        try:
            async with asyncio.timeout(10):
                with pytest.raises(OutageError, match="TimeoutError"):
                    await producer.ingest_hospital(MERCY)
        finally:
            own_redis.thaw()


async def _fill(redis: ArqRedis) -> None:
    await redis.config_set("maxmemory", "1")


async def _demote(redis: ArqRedis) -> None:
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")


@pytest.mark.parametrize(
    ("break_redis", "says"),
    [
        (_fill, r"\(OOM\): its memory is full; add memory, or retry or discard dead letters"),
        (_demote, r"\(READONLY\): it is a replica; connect to the primary"),
    ],
    ids=["OOM", "READONLY"],
)
async def test_a_redis_that_refuses_writes_is_reported_immediately(
    producer: HospitalProducer, redis: ArqRedis, break_redis: Callable[[ArqRedis], Awaitable[None]], says: str
) -> None:
    await break_redis(redis)

    async with asyncio.timeout(5):
        with pytest.raises(OutageError, match=rf"Redis at 127\.0\.0\.1:\d+ refuses writes for now {says}$"):
            await producer.ingest_hospital(MERCY)
    assert await redis.zcard(DEFAULT_QUEUE) == 0


async def test_a_queue_of_the_wrong_type_is_a_configuration_error(
    producer: HospitalProducer, redis: ArqRedis
) -> None:
    await redis.set(DEFAULT_QUEUE, "x")

    with pytest.raises(ConfigurationError, match="WRONGTYPE"):
        await producer.ingest_hospital(MERCY)


async def test_a_wrong_password_is_reported_in_one_line() -> None:
    async with EmbeddedRedis(password="right1234") as server:
        for login in ("", f":{PASSWORD}@"):
            url = f"redis://{login}127.0.0.1:{server.port}/0"
            with pytest.raises(ConfigurationError) as caught:
                async with HospitalProducer.connect(load_settings(redis_url=url)):
                    pytest.fail("Redis accepted the login")
            _assert_one_line_without_the_password(caught.value, server.port)


async def test_a_changed_password_is_reported_immediately(
    own_redis: EmbeddedRedis, producer: HospitalProducer, redis: ArqRedis
) -> None:
    await redis.config_set("requirepass", "changed1234")
    await producer._queue._redis.connection_pool.disconnect()

    async with asyncio.timeout(5):
        with pytest.raises(ConfigurationError) as caught:
            await producer.ingest_hospital(MERCY)
    _assert_one_line_without_the_password(caught.value, own_redis.port)


async def test_an_unreachable_redis_is_reported_in_one_line() -> None:
    port = ports.choose_port()
    settings = load_settings(redis_url=f"redis://user:{PASSWORD}@127.0.0.1:{port}/0", redis_timeout=1)

    with pytest.raises(OutageError) as caught:
        async with HospitalProducer.connect(settings):
            pytest.fail("a server answered")
    _assert_one_line_without_the_password(caught.value, port)


def _assert_one_line_without_the_password(error: RegistryError, port: int) -> None:
    assert str(error).startswith("REDIS_URL: ")
    assert f"127.0.0.1:{port}" in str(error)
    assert "\n" not in str(error)
    assert PASSWORD not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


async def test_exiting_closes_every_connection(settings: Settings, redis: ArqRedis) -> None:
    async with HospitalProducer.connect(settings, patience=5) as producer:
        await asyncio.gather(*(producer.enqueue(INGEST_HOSPITAL, IngestHospital(record=MERCY)) for _ in range(20)))
        assert len(await redis.client_list()) > 1

    async with asyncio.timeout(5):
        while len(await redis.client_list()) > 1:
            await asyncio.sleep(0.01)
    assert len(await redis.client_list()) == 1


async def test_a_refusal_after_a_lost_answer_says_that_the_job_may_be_enqueued(
    own_redis: EmbeddedRedis, producer: HospitalProducer, redis: ArqRedis
) -> None:
    """The first attempt has reached Redis; the second is refused, which says nothing about the first."""
    scripts = lose_answers(producer, 1)
    enqueue = scripts.enqueue

    async def then_demoted(*args: Any) -> Any:
        try:
            return await enqueue(*args)
        except RedisConnectionError:
            await _demote(redis)
            raise

    scripts.enqueue = then_demoted  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        with pytest.raises(OutageError, match=r"READONLY.*an earlier attempt may have enqueued the job") as refused:
            await producer.ingest_hospital(MERCY)
    assert not isinstance(refused.value, WritesRefused)
    assert refused.value.dependency == "Redis"
