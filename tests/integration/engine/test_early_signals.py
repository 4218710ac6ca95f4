"""A signal that arrives after a worker was created, and before its event loop runs."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from worker.embedded import EmbeddedRedis

WORKER = """
import asyncio, os, signal, sys
import uvloop
from arq.connections import RedisSettings
from worker.engine.worker import LeaseWorker

async def fine(ctx):
    pass

url, loop, owns_process = sys.argv[1:]
if loop == "uvloop":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.set_event_loop(asyncio.new_event_loop())
worker = LeaseWorker(
    [fine],
    redis_settings=RedisSettings.from_dsn(url),
    job_completion_wait=2,
    owns_process=owns_process == "yes",
)
worker.on_stop = lambda signum: print("stopping", flush=True)
os.kill(os.getpid(), signal.Signals[os.environ["SENT"]])
worker.run()
print("stopped")
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("owns_process", ["yes", "no"])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_a_signal_before_the_loop_runs_stops_the_worker(
    redis_server: EmbeddedRedis, tmp_path: Path, loop: str, owns_process: str, sent: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, redis_server.url, loop, owns_process),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"SENT": sent.name},
        cwd=Path(__file__).parents[3],
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # Once: a second signal would cut the grace period short.
    assert out.decode().splitlines() == ["stopping", "stopped"]
    assert process.returncode == 0
