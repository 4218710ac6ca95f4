"""A million jobs that wait, or that are deferred: what the facts cost, and what is scaled."""

import math
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.asyncio import Redis

from tests.support.ended_tries import Ended, tallies
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE, QUEUES
from worker.embedded import EmbeddedRedis
from worker.monitoring.metrics_text import as_text
from worker.monitoring.queue_facts import QueueFacts
from worker.monitoring.samples import Samples
from worker.queue import keys
from worker.queue.rates import RateStore
from worker.queue.stats import read_stats
from worker.redis.client import open_redis
from worker.settings import load_settings

SCALING = Path(__file__).parents[3] / "deploy" / "kubernetes" / "scaling.yaml"
(SCALED,) = yaml.safe_load_all(SCALING.read_text("utf-8"))
LIMIT_S = 0.010
JOBS = 1_000_000
READING = re.compile(r'max\((\w+\{queue="[^"]+"\})\)')


@pytest.fixture
async def redis(own_redis: EmbeddedRedis) -> AsyncIterator["Redis[bytes]"]:
    client = open_redis(load_settings(redis_url=own_redis.url))
    yield client
    await client.aclose(close_connection_pool=True)


async def fill(redis: "Redis[bytes]", queue: str, jobs: int, due_in_ms: int) -> None:
    """Put so many jobs on a queue, all due at a time from now; their payloads count for nothing here."""
    seconds, _ = await redis.time()
    add = "for n = ARGV[1], ARGV[2] do redis.call('ZADD', KEYS[1], ARGV[3] + n / 1000, 'job-' .. n) end"
    for first in range(1, jobs + 1, 50_000):
        await redis.eval(add, 1, queue, first, min(first + 49_999, jobs), seconds * 1000 + due_in_ms)


async def wanted_workers(redis: "Redis[bytes]") -> int:
    """Return how many workers the triggers of the ScaledObject ask for, by the expressions that stand there."""
    samples = Samples()
    await QueueFacts(redis, QUEUES).add_to(samples)
    values = dict(re.findall(r"^(\w+\{.*\}) (\S+)$", as_text(samples).decode(), re.MULTILINE))
    wanted = []
    for trigger in SCALED["spec"]["triggers"]:
        metadata: dict[str, Any] = trigger["metadata"]
        terms = metadata["query"].split(" + ")
        found = [READING.fullmatch(term) for term in terms]
        value = sum(float(values[term[1]]) for term in found if term is not None)
        assert None not in found, metadata["query"]
        wanted.append(math.ceil(value / float(metadata["threshold"])))
    least, most = int(SCALED["spec"]["minReplicaCount"]), int(SCALED["spec"]["maxReplicaCount"])
    return max(least, min(most, max(wanted)))


@pytest.mark.parametrize("queue", QUEUES)
async def test_a_million_deferred_jobs_start_no_worker(redis: "Redis[bytes]", queue: str) -> None:
    await fill(redis, queue, JOBS, due_in_ms=7 * 86_400_000)
    assert await redis.zcard(queue) == JOBS
    assert await wanted_workers(redis) == SCALED["spec"]["minReplicaCount"]


@pytest.mark.parametrize(
    ("queue", "jobs", "due_s_ago", "workers"),
    [
        (DEFAULT_QUEUE, 100, 0, 1),
        (DEFAULT_QUEUE, 7_000, 0, 3),
        (DEFAULT_QUEUE, 100_000, 0, 8),
        (DEFAULT_QUEUE, 1, 100, 4),
        (BULK_QUEUE, 70, 0, 4),
        (BULK_QUEUE, 1, 700, 3),
    ],
)
async def test_what_is_due_and_how_old_it_is_starts_workers(
    redis: "Redis[bytes]", queue: str, jobs: int, due_s_ago: int, workers: int
) -> None:
    await fill(redis, queue, jobs, due_in_ms=-due_s_ago * 1000 - 1_000)
    assert await wanted_workers(redis) == workers


async def test_the_facts_of_a_million_waiting_jobs_are_read_in_ten_milliseconds(redis: "Redis[bytes]") -> None:
    await fill(redis, DEFAULT_QUEUE, JOBS, due_in_ms=-10_000)
    functions = [f"function-{number}" for number in range(12)]
    ended = [
        Ended(function=function, outcome=outcome, run_s=10.0**-power, pickup_s=10.0**-power)
        for function in functions
        for outcome in ("complete", "dead", "retried")
        for power in range(4)
    ]
    made = tallies(functions=functions)
    for event in ended:
        made.try_ended(event)
    await RateStore(redis).add(made.job_tallies())
    for key in [key async for key in redis.scan_iter(match=f"{keys.RATES}*")]:
        # Every interval of every window holds as much.
        prefix, _, number = key.rpartition(b":")
        for back in range(1, 7):
            await redis.copy(key, prefix + b":%d" % (int(number) - back))
    state, seconds = await read_stats(redis, QUEUES), []
    for _ in range(30):
        began = time.perf_counter()
        await read_stats(redis, QUEUES)
        seconds.append(time.perf_counter() - began)

    assert state.queues[DEFAULT_QUEUE].waiting == JOBS
    assert len(state.as_json()["rates"]) == len(functions)
    assert min(seconds) < LIMIT_S


async def test_a_redis_that_does_not_answer_holds_up_no_scrape(
    own_redis: EmbeddedRedis, redis: "Redis[bytes]"
) -> None:
    facts = QueueFacts(redis, QUEUES, timeout_s=0.2)
    await facts.add_to(Samples())
    own_redis.freeze()
    samples = Samples()
    began = time.monotonic()
    await facts.add_to(samples)
    own_redis.thaw()

    assert time.monotonic() - began < 2
    assert samples.numbers == {"hospital_queue_facts_read": {(): 0}}
