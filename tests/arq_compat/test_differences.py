"""Deliberate differences from arq, each with its reason."""

import asyncio
import logging
import os
import pickle  # noqa: TID251 (made here to test that it is refused)
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
from worker.engine.events import TryEnded
from worker.engine.worker import LeaseWorker
from worker.errors import ConfigurationError
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore


@pytest.fixture
def worker_class() -> type[Worker]:
    return LeaseWorker


async def fine(ctx: dict[str, Any]) -> list[Any]:
    return [ctx["job_try"]]


async def test_a_job_with_an_unknown_function_is_deferred(bench: Bench) -> None:
    """arq fails and deletes the job, so during a rolling deploy an old worker loses the jobs of the new release."""
    ended: list[TryEnded] = []
    async with bench.serving(fine) as worker:
        assert isinstance(worker, LeaseWorker)
        worker.events.subscribe(TryEnded, ended.append)
        job = await bench.enqueue("next_release")
        await bench.wait_for_status(job, JobStatus.deferred)
        await bench.until(lambda: ended)
    assert [event.outcome for event in ended] == ["function_unknown"]
    assert (worker.jobs_failed, worker.jobs_retried) == (0, 0)
    await bench.redis.zadd(bench.queue, {job.job_id: 1})
    await bench.burst(func(fine, name="next_release"))
    assert await job.result(timeout=5) == [1]


class Bomb:
    """An object whose pickle creates a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self._path),)


async def test_a_pickle_is_never_loaded_by_default(bench: Bench, tmp_path: Path) -> None:
    """arq loads pickles by default, so any client that can write to Redis can run code in the worker."""
    job, path = await bench.enqueue("fine"), tmp_path / "exploded"
    message: dict[str, Any] = {"t": None, "f": "fine", "a": (Bomb(path),), "k": {}, "et": 1}
    await bench.redis.set(keys.JOB + job.job_id, pickle.dumps(message))
    await bench.burst(fine, job_serializer=None, job_deserializer=None)
    assert await bench.wait_for_failure(job) == "InvalidEnvelope: not a JSON envelope"
    assert (await DeadLetterStore(bench.redis).get(job.job_id)).reason == "permanent error"
    assert not path.exists()


async def test_a_serializer_without_a_deserializer_is_refused(bench: Bench) -> None:
    """arq reads with pickle unless a deserializer is set, so every job fails."""
    with pytest.raises(ConfigurationError, match="job_serializer is set without job_deserializer"):
        bench.worker(fine, job_serializer=str.encode, job_deserializer=None)


async def test_the_health_key_expires_within_seconds(bench: Bench) -> None:
    """arq's key lives for an hour by default, so the check reports a dead worker as healthy."""
    async with bench.serving(fine, health_check_interval=3_600):
        await bench.until(lambda: bench.redis.exists(bench.queue + keys.HEALTH_CHECK_SUFFIX))
        assert 0 < await bench.redis.pttl(bench.queue + keys.HEALTH_CHECK_SUFFIX) <= 5_000


@pytest.mark.filterwarnings("ignore:Call to deprecated close")  # arq closes its connection this way
async def test_closing_one_worker_keeps_the_health_key_of_others(bench: Bench) -> None:
    """arq deletes the only key of the queue, so the check fails although other workers run."""
    async with bench.serving(fine):
        async with bench.serving(fine):
            await bench.until(lambda: bench.redis.exists(bench.queue + keys.HEALTH_CHECK_SUFFIX))
        assert await async_check_health(bench.settings, queue_name=bench.queue) == 0


async def test_a_deploy_does_not_use_up_a_try(bench: Bench) -> None:
    """arq counts an interrupted run as a try, so a job that is allowed one try is lost."""
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
async def test_transient_errors_are_retried(bench: Bench, timeout: float) -> None:
    """arq treats every error except `Retry` as final, including a timeout or a broken connection."""
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
async def test_a_failing_hook_affects_only_its_own_job(bench: Bench, name: str) -> None:
    """In arq, the worker ends, and all its jobs with it."""
    failing = await bench.enqueue("fine")
    other = await bench.enqueue("fine")

    async def hook(ctx: dict[str, Any]) -> None:
        if ctx["job_id"] == failing.job_id:
            raise RuntimeError("hook")

    await bench.burst(fine, max_jobs=1, **{name: hook})
    assert await other.result(timeout=5) == [1]
    # A failing hook no longer changes a result that is already stored.
    assert (await bench.wait_for_result(failing)).success is (name == "after_job_end")


async def test_a_failed_job_is_kept_as_a_dead_letter(bench: Bench) -> None:
    """arq deletes the job and its arguments; here it is kept until an operator retries or discards it."""

    async def wrong(ctx: dict[str, Any], value: int) -> None:
        raise ValueError("wrong")

    job = await bench.enqueue("wrong", 7)
    await bench.burst(func(wrong, name="wrong"))
    dead_letter = await DeadLetterStore(bench.redis).get(job.job_id)
    assert (dead_letter.function, dead_letter.failure.message) == ("wrong", "wrong")
    assert Codec().decode(b64decode(dead_letter.payload))["a"] == [7]


async def test_keep_result_forever_covers_jobs_that_fail_before_they_start(bench: Bench) -> None:
    """If a job fails before it starts, arq asks Redis for an expiry of zero, which ends the worker."""
    job = await bench.enqueue("fine", _job_try=9)
    await bench.burst(fine, keep_result_forever=True)
    assert await bench.wait_for_failure(job) == "JobExecutionFailed: max 5 retries exceeded"
    assert await bench.redis.pttl(keys.RESULT + job.job_id) == -1


async def test_arqs_lines_about_jobs_are_written_only_if_asked_for(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """arq writes two lines for each job; at thousands of jobs a second they would be most of the work."""
    caplog.set_level(logging.INFO, logger="arq")
    await bench.enqueue("fine")
    failing = await bench.enqueue("wrong", "its argument")

    async def wrong(ctx: dict[str, Any], value: str) -> None:
        error = ValueError(value)
        error.extra = {"order": 7}  # type: ignore[attr-defined]
        raise error

    await bench.burst(fine, func(wrong, name="wrong"))
    jobs = [record for record in caplog.records if record.name == "arq.worker" and hasattr(record, "job_id")]
    assert [(vars(record)["job_id"], vars(record)["extra"]) for record in jobs] == [(failing.job_id, {"order": 7})]
    assert "→" not in caplog.text
    assert "its argument" not in caplog.text
