"""The rates of all workers, in a real Redis."""

from redis.asyncio import Redis

from tests.support.ended_tries import Ended, tallies
from worker.embedded import EmbeddedRedis
from worker.monitoring.rate_writer import RateWriter
from worker.monitoring.tallies import Tallies
from worker.queue import keys
from worker.queue.rates import WINDOWS_S, JobTally, RateStore
from worker.redis.client import open_redis
from worker.settings import load_settings

KEY = ("arq:queue", "ingest")


async def interval_keys(redis: "Redis[bytes]") -> list[bytes]:
    return [key async for key in redis.scan_iter(match=f"{keys.RATES}*")]


async def counted(redis: "Redis[bytes]") -> list[JobTally]:
    """Return what each window has of one function."""
    return [window.jobs.get(KEY, JobTally()) for window in await RateStore(redis).read()]


async def test_what_two_workers_write_is_added_up_in_every_window(own_redis: EmbeddedRedis) -> None:
    redis = open_redis(load_settings(redis_url=own_redis.url))
    first, second = Tallies(["ingest"]), Tallies(["ingest"])
    writers = [RateWriter(redis, first), RateWriter(redis, second)]
    for _ in range(3):
        for made in (first, second):
            made.try_ended(Ended(run_s=0.015, pickup_s=0.3))
        second.try_ended(Ended(outcome="dead", run_s=0.015))
        for writer in writers:
            await writer.write()
            # Nothing has ended since, so nothing is counted twice.
            await writer.write()

    windows = await RateStore(redis).read()
    assert [window.seconds for window in windows] == list(WINDOWS_S)
    for window in windows:
        assert window.jobs[KEY].outcomes == {"complete": 6, "dead": 3}
        assert window.seconds <= window.covered_s < window.seconds * 7 / 6 + 1
        shown = window.as_json(KEY)
        assert shown["per_second"] == round(9 / window.covered_s, 3)
        assert 0.01 < shown["run_s"]["p50"] <= 0.02
        assert 0.2 < shown["pickup_s"]["p95"] <= 0.5
    await redis.aclose(close_connection_pool=True)


async def test_intervals_expire_when_no_window_reaches_back_to_them(own_redis: EmbeddedRedis) -> None:
    redis = open_redis(load_settings(redis_url=own_redis.url))
    await RateStore(redis).add(tallies(Ended()).job_tallies())
    lives_ms = sorted([await redis.pttl(key) for key in await interval_keys(redis)])

    assert len(lives_ms) == len(WINDOWS_S)
    for life_ms, window_s in zip(lives_ms, WINDOWS_S, strict=True):
        assert window_s * 1000 < life_ms <= window_s * 1000 * 8 / 6
    await redis.aclose(close_connection_pool=True)


async def test_what_another_program_wrote_is_passed_over(own_redis: EmbeddedRedis) -> None:
    redis = open_redis(load_settings(redis_url=own_redis.url))
    store = RateStore(redis)
    await store.add(tallies(Ended()).job_tallies())
    for key in await interval_keys(redis):
        foreign = {"no json": "1", "[1,2]": "x", '["arq:queue","ingest","run","99"]': "7", b"\xff": b"\xff"}
        await redis.hset(key, mapping=foreign)
    assert [tally.outcomes for tally in await counted(redis)] == [{"complete": 1}] * 3
    for key in await interval_keys(redis):
        await redis.delete(key)
        await redis.set(key, "of another type")
    assert [tally.outcomes for tally in await counted(redis)] == [{}] * 3
    await store.add(tallies(Ended()).job_tallies())
    await redis.aclose(close_connection_pool=True)


async def test_what_redis_did_not_take_is_written_later(own_redis: EmbeddedRedis) -> None:
    redis = open_redis(load_settings(redis_url=own_redis.url, redis_timeout=2))
    made = Tallies(["ingest"])
    writer = RateWriter(redis, made)
    made.try_ended(Ended())
    own_redis.freeze()
    await writer.write()
    own_redis.thaw()
    await redis.ping()
    for key in await interval_keys(redis):
        # Redis may have run the call whose answer did not come in time.
        await redis.delete(key)
    await writer.write()

    assert [tally.outcomes for tally in await counted(redis)] == [{"complete": 1}] * 3
    await redis.aclose(close_connection_pool=True)


async def test_an_interval_takes_a_bounded_number_of_names(own_redis: EmbeddedRedis) -> None:
    redis = open_redis(load_settings(redis_url=own_redis.url))
    jobs = {("arq:queue", f"function-{number}"): JobTally({"complete": 1}) for number in range(6_000)}
    await RateStore(redis).add(jobs)

    sizes = [await redis.hlen(key) for key in await interval_keys(redis)]
    assert sizes == [4_000] * len(WINDOWS_S)
    await redis.aclose(close_connection_pool=True)
