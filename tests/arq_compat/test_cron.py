"""Cron jobs."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from arq.cron import cron
from arq.jobs import Job, JobStatus

from tests.arq_compat.conftest import Bench
from tests.support.schedules import FAR_MONTH

_EVERY_SECOND = set(range(60))


class Ticking:
    """A cron job that records the id and the time of each run."""

    def __init__(self, bench: Bench) -> None:
        # The id of a unique job is made from this name, and all queues share one set of ids.
        self.name = f"cron:{bench.queue}"
        self.ids: list[str] = []
        self.at: list[datetime] = []

    def cron(self, **options: Any) -> Any:
        async def tick(ctx: dict[str, Any]) -> str:
            self.ids.append(ctx["job_id"])
            self.at.append(datetime.now(UTC))
            return "tick"

        return cron(tick, name=self.name, **options)

    def planned(self) -> list[datetime]:
        """Return the scheduled times that the ids of unique jobs contain."""
        return [datetime.fromtimestamp(int(job_id.rpartition(":")[2]) / 1000, UTC) for job_id in self.ids]


async def test_a_job_runs_at_its_scheduled_times(bench: Bench) -> None:
    ticking = Ticking(bench)
    async with bench.serving(cron_jobs=[ticking.cron(second=_EVERY_SECOND, microsecond=0)]):
        await bench.until(lambda: len(ticking.ids) == 2)
    first, second = ticking.planned()
    assert (first.microsecond, second - first) == (0, timedelta(seconds=1))
    for planned, at in zip((first, second), ticking.at, strict=True):
        assert timedelta() <= at - planned < timedelta(seconds=1)


async def test_every_run_of_each_schedule_of_one_function_runs(bench: Bench) -> None:
    ticking = Ticking(bench)
    even, odd = (ticking.cron(second=set(range(first, 60, 2)), microsecond=0) for first in (0, 1))
    async with bench.serving(cron_jobs=[even, odd]):
        await bench.until(lambda: len(ticking.ids) == 4)
    planned = ticking.planned()
    assert [later - run for run, later in pairwise(planned)] == [timedelta(seconds=1)] * 3


async def test_a_job_does_not_run_before_its_time(bench: Bench) -> None:
    ticking = Ticking(bench)
    async with bench.serving(cron_jobs=[ticking.cron(month=FAR_MONTH)]) as worker:
        next_run = await bench.until(lambda: worker.cron_jobs[0].next_run)
    assert next_run.month == FAR_MONTH
    assert ticking.ids == []


async def test_a_burst_runs_a_job_with_run_at_startup(bench: Bench) -> None:
    ticking = Ticking(bench)
    worker = await bench.burst(cron_jobs=[ticking.cron(month=FAR_MONTH, run_at_startup=True)])
    assert len(ticking.ids) == 1
    assert worker.jobs_complete == 1


async def test_a_burst_does_not_run_a_job_that_is_not_due(bench: Bench) -> None:
    ticking = Ticking(bench)
    worker = await bench.burst(cron_jobs=[ticking.cron(month=FAR_MONTH)])
    assert ticking.ids == []
    assert worker.jobs_complete == 0


async def test_a_unique_jobs_id_contains_its_scheduled_time(bench: Bench) -> None:
    ticking = Ticking(bench)
    await bench.burst(cron_jobs=[ticking.cron(month=FAR_MONTH, run_at_startup=True)])
    assert ticking.ids[0].rpartition(":")[0] == ticking.name
    assert abs(ticking.at[0] - ticking.planned()[0]) < timedelta(seconds=5)


async def test_a_unique_job_runs_once_on_several_workers(bench: Bench) -> None:
    ticking = Ticking(bench)
    jobs = [ticking.cron(second=_EVERY_SECOND) for _ in range(2)]
    async with bench.serving(cron_jobs=jobs[:1]), bench.serving(cron_jobs=jobs[1:]):
        await bench.until(lambda: len(ticking.ids) >= 2)
    assert set(Counter(ticking.ids).values()) == {1}


async def test_a_job_that_is_not_unique_runs_on_each_worker(bench: Bench) -> None:
    ticking = Ticking(bench)
    for _ in range(2):
        await bench.burst(cron_jobs=[ticking.cron(unique=False, month=FAR_MONTH, run_at_startup=True)])
    assert len(set(ticking.ids)) == 2
    assert not any(job_id.startswith("cron:") for job_id in ticking.ids)


async def test_a_cron_job_can_have_a_custom_job_id(bench: Bench) -> None:
    ticking = Ticking(bench)
    job_id = bench.new_id()
    await bench.burst(cron_jobs=[ticking.cron(job_id=job_id, month=FAR_MONTH, run_at_startup=True)])
    assert ticking.ids == [job_id]


@pytest.mark.parametrize(("keep", "status"), [(0, JobStatus.not_found), (60, JobStatus.complete)])
async def test_results_are_kept_only_with_keep_result(bench: Bench, keep: float, status: JobStatus) -> None:
    ticking = Ticking(bench)
    job_id = bench.new_id()
    await bench.burst(
        cron_jobs=[ticking.cron(job_id=job_id, month=FAR_MONTH, run_at_startup=True, keep_result=keep)]
    )
    job = Job(job_id, bench.redis, _queue_name=bench.queue, _deserializer=bench.redis.job_deserializer)
    # arq keeps a cron job's in-progress key for a minute, so that a slower worker does not run the job again.
    assert await bench.redis.exists("arq:in-progress:" + job_id)
    assert await job.status() is (JobStatus.in_progress if status is JobStatus.not_found else status)
    assert bool(await job.result_info()) is (status is JobStatus.complete)


async def test_hours_are_in_the_workers_timezone(bench: Bench) -> None:
    ticking = Ticking(bench)
    zone = timezone(timedelta(hours=5, minutes=30))
    async with bench.serving(cron_jobs=[ticking.cron(hour=3, minute=7)], timezone=zone) as worker:
        next_run = await bench.until(lambda: worker.cron_jobs[0].next_run)
    assert next_run.utcoffset() == timedelta(hours=5, minutes=30)
    assert (next_run.hour, next_run.minute) == (3, 7)
    assert timedelta() < next_run - datetime.now(zone) <= timedelta(days=1)


async def test_a_failing_job_is_not_retried(bench: Bench) -> None:
    runs = []

    async def fail(ctx: dict[str, Any]) -> None:
        runs.append(ctx["job_try"])
        raise ValueError("wrong")

    job = cron(fail, job_id=bench.new_id(), month=FAR_MONTH, run_at_startup=True)
    worker = await bench.burst(cron_jobs=[job])
    assert runs == [1]
    assert worker.jobs_failed == 1


async def test_only_cron_jobs_are_accepted(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="cron_jobs, must be instances of CronJob"):
        bench.worker(cron_jobs=["job"])
