"""What the scripts can do on a Redis that is full, or that forbids some of their commands."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.exceptions import ResponseError

from tests.faults.injectors.redis_refusals import memory_full
from tests.redis_scripts.script_bench import OWNER, ScriptBench
from worker.codec import Codec
from worker.embedded import EmbeddedRedis
from worker.engine.arq_redis import open_arq_redis
from worker.queue import keys
from worker.queue.batches import completion_entry
from worker.queue.completion import Completion
from worker.queue.scripts import Enqueue
from worker.settings import load_settings


@pytest_asyncio.fixture
async def own(own_redis: EmbeddedRedis) -> AsyncIterator[ScriptBench]:
    client = open_arq_redis(load_settings(redis_url=own_redis.url), Codec())
    yield ScriptBench(client)
    await client.aclose(close_connection_pool=True)


async def test_a_full_redis_renews_leases(own: ScriptBench) -> None:
    await own.enqueue("a")
    job = (await own.claim(lease_ms=5_000)).jobs[0]
    async with memory_full(own.redis):
        assert await own.renew(job, lease_ms=90_000) == []

    assert 85_000 < await own.due_in_ms("a") <= 90_000


async def test_a_full_redis_still_notes_the_time(own: ScriptBench) -> None:
    await own.enqueue("a")
    job = await own.claim_one()
    # As if the last note were old: without a new one, the queues' time could run backwards.
    await own.redis.hset(keys.CLOCK, mapping={"noted": 1, "ahead": 0})
    async with memory_full(own.redis):
        assert await own.renew(job) == []
        assert int(await own.redis.hget(keys.CLOCK, "noted") or 0) > 1_700_000_000_000


async def test_a_full_redis_stores_groups_that_need_no_memory_and_refuses_others(own: ScriptBench) -> None:
    # Jobs that are due at the same instant come in the order of their ids.
    await own.enqueue("dead", "done", "large", "retried", "returned", payload=bytes(1_000))
    dead, done, large, retried, returned = (await own.claim()).jobs
    small = [
        Completion.done(done, OWNER, result=bytes(4_000), result_life_ms=-1),
        Completion.dead(dead, OWNER, dead_letter=b"dead letter"),
        Completion.retry(retried, OWNER, delay_ms=0, failure=b"failure"),
        Completion.hand_back(returned, OWNER),
    ]
    too_much = Completion.done(large, OWNER, result=bytes(10_000), result_life_ms=-1)
    async with memory_full(own.redis):
        with pytest.raises(ResponseError, match="maxmemory"):
            await own.scripts.finish([*small, too_much])
        assert await own.redis.hlen(keys.LEASES) == 5

        assert await own.scripts.finish(small) == [True] * 4

        with pytest.raises(ResponseError, match="maxmemory"):
            await own.claim()
        with pytest.raises(ResponseError, match="maxmemory"):
            await own.enqueue("new")
    assert await own.places_of("done") == {keys.RESULT}
    assert await own.redis.strlen(keys.DEAD_PAYLOAD + own.id("dead")) == 1_000
    assert await own.scripts.finish([too_much]) == [True]


async def test_a_full_redis_counts_ends_and_cancels_batches(own: ScriptBench) -> None:
    for batch in ("ends", "cancelled"):
        assert await own.batches.create(batch, Enqueue(own.id(f"completion of {batch}"), own.queue, b"completion"))
    await own.enqueue("job", batch="ends")
    await own.enqueue("running", batch="cancelled")
    job, running = (await own.claim()).jobs
    await own.enqueue("waiting", batch="cancelled", payload=bytes(1_000))
    retried = Completion.retry(running, OWNER, delay_ms=0, failure=b"failure")
    async with memory_full(own.redis):
        await own.batches.seal("ends")
        entry = completion_entry("ends", "complete", {"rows": 1})
        assert await own.scripts.finish([Completion.done(job, OWNER)._replace(batch=entry)]) == [True]
        assert await own.batches.cancel("cancelled") == 1
        assert await own.batches.next_silent() == "cancelled"
        assert await own.scripts.finish([retried._replace(batch="cancelled")]) == [True]
        with pytest.raises(ResponseError, match="maxmemory"):
            await own.batches.create("new", None)

    assert (await own.batches.progress("ends")).state == "finished"
    assert (await own.batches.progress("cancelled")).state == "cancelled"
    assert len((await own.claim()).jobs) == 2


async def test_rules_from_before_a_command_was_needed_keep_dead_letters_working(own_redis: EmbeddedRedis) -> None:
    admin = open_arq_redis(load_settings(redis_url=own_redis.url), Codec())
    rules = ("on", ">password", "~*", "&*", "+@all", "-rename", "-persist")
    await admin.execute_command("ACL", "SETUSER", "earlier", *rules)
    url = own_redis.url.replace("redis://", "redis://earlier:password@")
    client = open_arq_redis(load_settings(redis_url=url), Codec())
    bench = ScriptBench(client)
    await bench.enqueue("a")
    await client.pexpire(keys.JOB + bench.id("a"), 60_000)
    job = await bench.claim_one()

    assert await bench.scripts.finish([Completion.dead(job, OWNER, dead_letter=b"dead letter")]) == [True]

    kept = keys.DEAD_PAYLOAD + bench.id("a")
    assert (await client.get(kept), await client.pttl(kept)) == (b"payload", -1)
    assert await bench.places_of("a") == {keys.DEAD, "dead index"}
    assert await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"")]) == 1
    assert (await bench.claim_one()).payload == b"payload"
    await client.aclose(close_connection_pool=True)
    await admin.aclose(close_connection_pool=True)
