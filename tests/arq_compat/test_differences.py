"""Where this engine departs from arq on purpose, each with its reason."""

import asyncio
import os
import pickle  # noqa: TID251 (made here to be refused)
import signal
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from arq.jobs import JobStatus
from arq.worker import Worker, async_check_health, func

from tests.arq_compat.conftest import Bench
from worker.codec import Codec
from worker.engine.worker import LeaseWorker
from worker.errors import ConfigurationError
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore


@pytest.fixture
def worker_class() -> type[Worker]:
    return LeaseWorker


async def fine(ctx: dict[str, Any]) -> list[Any]:
    return [ctx["job_try"]]


async def test_a_job_that_nobody_here_knows_is_put_back(bench: Bench) -> None:
    """arq fails and deletes it, so that during a rolling deploy an old worker loses the new one's jobs."""
    job = await bench.enqueue("of the next release")
    async with bench.serving(fine) as worker:
        await bench.has_status(job, JobStatus.deferred)
        await bench.until(lambda: worker.jobs_retried)
    assert worker.jobs_failed == 0
    await bench.redis.zadd(bench.queue, {job.job_id: 1})
    await bench.burst(func(fine, name="of the next release"))
    assert await job.result(timeout=5) == [1]


class Bomb:
    """A pickle of it makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self._path),)


async def test_a_pickle_is_never_loaded_unasked(bench: Bench, tmp_path: Path) -> None:
    """arq loads pickles by default, and so runs the code of whoever can write to Redis."""
    job, path = await bench.enqueue("fine"), tmp_path / "exploded"
    message: dict[str, Any] = {"t": None, "f": "fine", "a": (Bomb(path),), "k": {}, "et": 1}
    await bench.redis.set(keys.JOB + job.job_id, pickle.dumps(message))
    await bench.burst(fine, job_serializer=None, job_deserializer=None)
    assert await bench.failure(job) == "InvalidEnvelope: not a JSON envelope"
    assert (await DeadLetterStore(bench.redis).get(job.job_id)).reason == "permanent error"
    assert not path.exists()


async def test_a_serializer_that_nothing_reads_is_refused(bench: Bench) -> None:
    """arq reads with pickle unless told otherwise, and fails every job."""
    with pytest.raises(ConfigurationError, match="job_serializer is set without job_deserializer"):
        bench.worker(fine, job_serializer=str.encode, job_deserializer=None)


async def test_the_health_key_lives_for_seconds(bench: Bench) -> None:
    """arq's lives for an hour by default, so that the check calls a dead worker healthy."""
    async with bench.serving(fine, health_check_interval=3_600):
        await bench.until(lambda: bench.redis.exists(bench.queue + keys.HEALTH_CHECK_SUFFIX))
        assert 0 < await bench.redis.pttl(bench.queue + keys.HEALTH_CHECK_SUFFIX) <= 5_000


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq closes its connection so
async def test_a_worker_that_closes_leaves_the_health_of_others(bench: Bench) -> None:
    """arq deletes the queue's one key, and the check fails although workers run."""
    async with bench.serving(fine):
        async with bench.serving(fine):
            await bench.until(lambda: bench.redis.exists(bench.queue + keys.HEALTH_CHECK_SUFFIX))
        assert await async_check_health(bench.settings, queue_name=bench.queue) == 0


async def test_a_deploy_spends_no_try(bench: Bench) -> None:
    """arq counts an interrupted run as a try, so that with one try the job is lost."""
    running = asyncio.Event()

    async def job(ctx: dict[str, Any]) -> int:
        if not running.is_set():
            running.set()
            await asyncio.Event().wait()
        tries: int = ctx["job_try"]
        return tries

    interrupted = await bench.enqueue("job")
    async with bench.serving(func(job, name="job", max_tries=1)) as worker:
        await running.wait()
        worker.handle_sig(signal.SIGTERM)
    await bench.burst(func(job, name="job", max_tries=1))
    assert await interrupted.result(timeout=5) == 1


@pytest.mark.parametrize("timeout", [0.05, 60], ids=["timeout", "connection"])
async def test_what_may_pass_is_tried_again(bench: Bench, timeout: float) -> None:
    """arq makes any error but `Retry` final, a timeout or a broken connection too."""
    tries = []

    async def job(ctx: dict[str, Any]) -> str:
        tries.append(ctx["job_try"])
        if len(tries) == 1:
            if timeout > 1:
                raise ConnectionResetError
            await asyncio.Event().wait()
        return "done"

    late = await bench.enqueue("job")
    await bench.burst(func(job, name="job", timeout=timeout))
    assert await late.result(timeout=5) == "done"
    assert tries == [1, 2]


@pytest.mark.parametrize("name", ["on_job_start", "on_job_end", "after_job_end"])
async def test_a_failing_hook_is_its_jobs_own_affair(bench: Bench, name: str) -> None:
    """arq's worker ends, with all its jobs."""
    failing = await bench.enqueue("fine")
    other = await bench.enqueue("fine")

    async def hook(ctx: dict[str, Any]) -> None:
        if ctx["job_id"] == failing.job_id:
            raise RuntimeError("hook")

    await bench.burst(fine, max_jobs=1, **{name: hook})
    assert await other.result(timeout=5) == [1]
    # After the job's end has been stored, a hook changes nothing of it.
    assert (await bench.ended(failing)).success is (name == "after_job_end")


async def test_a_failed_job_is_kept(bench: Bench) -> None:
    """arq deletes it, arguments and all; here a person decides."""

    async def wrong(ctx: dict[str, Any], value: int) -> None:
        raise ValueError("wrong")

    job = await bench.enqueue("wrong", 7)
    await bench.burst(func(wrong, name="wrong"))
    dead_letter = await DeadLetterStore(bench.redis).get(job.job_id)
    assert (dead_letter.function, dead_letter.failure.message) == ("wrong", "wrong")
    assert Codec().decode(b64decode(dead_letter.payload))["a"] == [7]


async def test_every_failure_is_kept_for_ever_when_asked_for(bench: Bench) -> None:
    """arq asks Redis for an expiry of zero, which ends the worker, when a job did not even start."""
    job = await bench.enqueue("fine", _job_try=9)
    await bench.burst(fine, keep_result_forever=True)
    assert await bench.failure(job) == "JobExecutionFailed: max 5 retries exceeded"
    assert await bench.redis.pttl(keys.RESULT + job.job_id) == -1
