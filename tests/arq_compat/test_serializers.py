"""Custom serializers, including pickle if the user configures it."""

import json
import pickle  # noqa: TID251 (a user may choose it, and it must then work)
from datetime import UTC, datetime
from typing import Any

import pytest
from arq.connections import create_pool
from arq.cron import cron
from arq.jobs import DeserializationError, Job, SerializationError
from arq.worker import FailedJobs, func

from tests.arq_compat.conftest import Bench
from tests.support.schedules import FAR_MONTH


async def echo(ctx: dict[str, Any], *args: Any) -> list[Any]:
    return list(args)


async def fail(ctx: dict[str, Any]) -> None:
    raise LookupError("nothing there")


def _to_json(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


_JSON: dict[str, Any] = {"job_serializer": _to_json, "job_deserializer": json.loads}
_PICKLE: dict[str, Any] = {"job_serializer": pickle.dumps, "job_deserializer": pickle.loads}


async def test_custom_serializers_are_used_for_jobs_and_results(bench: Bench) -> None:
    await bench.use_serializers(**_JSON)
    job = await bench.enqueue("echo", 1, {"two": [2]})
    assert json.loads(await bench.redis.get("arq:job:" + job.job_id))["a"] == [1, {"two": [2]}]
    await bench.burst(echo, **_JSON)
    assert json.loads(await bench.redis.get("arq:result:" + job.job_id))["r"] == [1, {"two": [2]}]
    assert await job.result(timeout=5) == [1, {"two": [2]}]


async def test_a_result_that_cannot_be_serialized_is_reported(bench: Bench) -> None:
    await bench.use_serializers(**_JSON)
    job = await bench.enqueue("fail")
    await bench.burst(fail, **_JSON)
    with pytest.raises(SerializationError, match="unable to serialize result"):
        await job.result(timeout=5)


async def test_arguments_that_cannot_be_serialized_are_refused(bench: Bench) -> None:
    with pytest.raises(SerializationError, match='unable to serialize job "echo"'):
        await bench.enqueue("echo", object())


@pytest.mark.parametrize("given", [_PICKLE, {**_PICKLE, "job_deserializer": None}], ids=["both", "serializer"])
async def test_pickle_works_when_configured(bench: Bench, given: dict[str, Any]) -> None:
    await bench.use_serializers(**_PICKLE)
    value = {"at": datetime.now(UTC), "set": {1, 2}}
    job, failing = await bench.enqueue("echo", value), await bench.enqueue("fail")
    await bench.burst(echo, fail, **given)
    assert await job.result(timeout=5) == [value]
    assert (await bench.wait_for_result(job)).args == (value,)
    with pytest.raises(LookupError, match="nothing there"):
        await failing.result(timeout=5)


async def test_an_unreadable_job_fails_without_affecting_others(bench: Bench) -> None:
    broken, job = await bench.enqueue("echo"), await bench.enqueue("echo", 1)
    await bench.redis.set("arq:job:" + broken.job_id, b"\x80broken")
    worker = await bench.burst(echo)
    assert not (await bench.wait_for_result(broken)).success
    assert await job.result(timeout=5) == [1]
    assert (worker.jobs_failed, worker.jobs_complete) == (1, 1)


async def test_info_of_an_unreadable_job_raises(bench: Bench) -> None:
    job = await bench.enqueue("echo")
    await bench.redis.set("arq:job:" + job.job_id, b"\x80broken")
    with pytest.raises(DeserializationError):
        await job.info()


async def test_a_worker_and_its_pool_agree_on_the_default_serializers(bench: Bench) -> None:
    ticks = []

    async def tick(ctx: dict[str, Any]) -> None:
        ticks.append(ctx["job_id"])

    async def forward(ctx: dict[str, Any], job_id: str) -> None:
        await ctx["redis"].enqueue_job("echo", "forwarded", _job_id=job_id)

    pool = await create_pool(bench.settings, default_queue_name=bench.queue)
    worker = bench.worker(
        echo,
        func(forward, name="forward"),
        cron_jobs=[cron(tick, job_id=bench.new_id(), month=FAR_MONTH, run_at_startup=True)],
        burst=True,
        redis_pool=pool,
        redis_settings=None,
        job_serializer=None,
        job_deserializer=None,
    )
    job_id = bench.new_id()
    await pool.enqueue_job("forward", job_id)
    await worker.async_run()
    job = Job(job_id, pool, _queue_name=bench.queue, _deserializer=pool.job_deserializer)
    assert await job.result(timeout=5) == ["forwarded"]
    assert len(ticks) == 1
    await bench.close(worker)


async def test_a_job_that_cannot_be_read_fails_with_arqs_error(isolated_bench: Bench) -> None:
    await isolated_bench.use_serializers(**_PICKLE)
    job = await isolated_bench.enqueue("echo")
    await isolated_bench.redis.set("arq:job:" + job.job_id, b"\x80broken")
    worker = isolated_bench.worker(echo, burst=True, **_PICKLE)
    with pytest.raises(FailedJobs) as raised:
        await worker.run_check()
    await isolated_bench.close(worker)
    assert str(raised.value) == "1 job failed DeserializationError('unable to deserialize job')"
