"""Signals to the process of a worker that cannot heed them as usual."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.engine.conftest import Bench
from worker.embedded import EmbeddedRedis
from worker.queue import keys

GRACE_S, CLOSING_S = 1, 5

WORKER = """
import asyncio, hashlib, logging, multiprocessing, os, sys, threading, time
from redis import Redis
from arq.connections import RedisSettings
from worker.engine.worker import LeaseWorker

async def sleeping(ctx):
    await ctx["redis"].incr("asleep:" + ctx["job_id"])
    await asyncio.sleep(600)

async def hashing(ctx):
    # From another thread, once the main thread is in the call.
    incr = Redis.from_url(url).incr
    threading.Timer(0.3, incr, ["asleep:" + ctx["job_id"]]).start()
    # One call into C, which releases the interpreter's lock.
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)

async def talking(ctx):
    os.set_blocking(2, False)
    try:
        while True:
            os.write(2, bytes(4096))
    except BlockingIOError:
        os.set_blocking(2, True)
    await ctx["redis"].incr("asleep:" + ctx["job_id"])
    await asyncio.sleep(600)

async def parent(ctx):
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()
    child.terminate()
    await asyncio.to_thread(child.join, 10)
    return child.exitcode

url, queue, grace_s = sys.argv[1:]
logging.basicConfig(level="INFO")
asyncio.set_event_loop(asyncio.new_event_loop())
LeaseWorker(
    [sleeping, hashing, talking, parent],
    queues={queue: 10},
    redis_settings=RedisSettings.from_dsn(url),
    job_completion_wait=int(grace_s),
    owns_process=True,
).run()
"""


@asynccontextmanager
async def running(bench: Bench, redis_server: EmbeddedRedis) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker whose log nobody reads."""
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, redis_server.url, bench.queue, str(GRACE_S)),
        stderr=writer,
        cwd=Path(__file__).parents[3],
    )
    os.close(writer)
    try:
        yield process
    finally:
        os.close(reader)
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("function", ["hashing", "talking"])
async def test_a_process_whose_main_thread_is_held_up_ends_in_time_and_hands_its_jobs_back(
    function: str, bench: Bench, redis_server: EmbeddedRedis
) -> None:
    neighbours = [await bench.put("sleeping") for _ in range(3)]
    async with running(bench, redis_server) as process:
        asleep = [f"asleep:{job_id}" for job_id in neighbours]

        async def all_asleep() -> bool:
            return bool(await bench.redis.exists(*asleep) == len(asleep))

        await bench.until(all_asleep, 20)
        holder = await bench.put(function)
        await bench.until(lambda: bench.redis.exists(f"asleep:{holder}"), 20)

        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert await asyncio.wait_for(process.wait(), 30) == 0
        # Until a busy machine has noticed, too.
        assert time.monotonic() - began < GRACE_S + CLOSING_S + 2

    jobs = [*neighbours, holder]
    assert await bench.redis.zcard(bench.queue) == len(jobs)
    assert await bench.redis.zcard(bench.queue + keys.LEASED_SUFFIX) == 0
    for job_id in jobs:
        assert await bench.redis.exists(keys.TRIES + job_id) == 0
        assert await bench.redis.hexists(keys.CRASHES, job_id) == 0


async def test_a_job_that_ends_its_forked_child_does_not_end_its_worker(
    bench: Bench, redis_server: EmbeddedRedis
) -> None:
    async with running(bench, redis_server) as process:
        job_id = await bench.put("parent")
        assert await bench.outcome(job_id, 20) == -signal.SIGTERM
        neighbour = await bench.put("sleeping")
        await bench.until(lambda: bench.redis.exists(f"asleep:{neighbour}"), 20)
        assert process.returncode is None
