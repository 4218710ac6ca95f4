"""The options of the command `arq`, with this project's worker."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Site, WorkerRun
from worker.queue import keys
from worker.queue.heartbeats import STALE_AFTER_S

ROUGH = "rough_settings.WorkerSettings"
CHECK = ("arq", "--check", "worker.main.WorkerSettings")


async def test_burst_runs_the_queued_jobs_and_exits(site: Site) -> None:
    jobs = [f"job-{number}" for number in range(5)]
    for job_id in jobs:
        await site.put("neighbour", job_id=job_id)
    finished = await site.run("arq", "--burst", ROUGH)
    assert finished.code == 0, finished.err
    assert [(await site.result(job_id, 1))["r"] for job_id in jobs] == [1] * 5
    assert await site.redis.zcard("arq:queue") == 0


async def test_check_fails_within_seconds_after_the_last_worker_was_killed(site: Site) -> None:
    first, second = await site.worker(ROUGH), await site.worker(ROUGH)
    first.send(signal.SIGKILL)
    await first.ended()
    # arq's own health key lives for an hour by default, and a worker that exits deletes it for all workers.
    await site.until(lambda: site.is_ready(second))
    assert (await site.run(*CHECK)).code == 0
    second.send(signal.SIGKILL)
    await second.ended()
    await site.until(lambda: _health_key_expired(site), STALE_AFTER_S + 10)
    assert (await site.run(*CHECK)).code == 1


async def _health_key_expired(site: Site) -> bool:
    return not await site.redis.exists("arq:queue" + keys.HEALTH_CHECK_SUFFIX)


@pytest.fixture
async def watched(site: Site, tmp_path: Path) -> AsyncIterator[tuple[WorkerRun, Path]]:
    """A worker that `arq --watch` runs, and the folder that it watches."""
    folder, log = tmp_path / "watched", tmp_path / "watching.log"
    folder.mkdir()
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (Path.cwd(), here / "settings", here / "stand_ins")))
    environment = {**os.environ, **site.environment, "PYTHONPATH": path, "WORKER_GRACE_PERIOD": "0.2"}
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arq", "--watch", str(folder), ROUGH),
            env=environment,
            stdout=file,
            stderr=file,
        )
    run = WorkerRun(process, log)
    try:
        await site.until(lambda: site.is_ready(run), 30)
        yield run, folder
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_watch_restarts_the_worker_when_a_file_changes(site: Site, watched: tuple[WorkerRun, Path]) -> None:
    run, folder = watched
    await site.put("gated", job_id="interrupted")
    for times in (1, 2):
        await site.until(lambda times=times: _ran(site, times))  # type: ignore[misc]
        (folder / "code.py").write_text(f"# version {times}")
    await site.until(lambda: _ran(site, 3))
    await site.redis.set("gate", 1)
    # The job has only one try, which the interrupted runs did not spend.
    assert (await site.result("interrupted"))["r"] == 1
    run.send(signal.SIGTERM)
    assert await run.ended() == 0
    assert "Traceback" not in run.log


async def test_watch_stops_on_a_signal_that_comes_while_it_restarts(
    site: Site, watched: tuple[WorkerRun, Path]
) -> None:
    run, folder = watched
    # The interrupted job keeps the worker in its grace period for 0.2 s.
    await site.put("gated", job_id="interrupted")
    await site.until(lambda: _ran(site, 1))
    (folder / "code.py").write_text("# changed")

    async def reloading() -> bool:
        return "signal=SIGUSR1" in run.log

    await site.until(reloading)
    run.send(signal.SIGTERM)
    assert await run.ended() == 0


async def _ran(site: Site, times: int) -> bool:
    return int(await site.redis.get("runs") or 0) >= times
