"""The contract of what the scripts do with the payloads of dead letters, for a simulated and for a real Redis."""

from tests.redis_scripts.script_bench import OWNER, ScriptBench
from worker.queue import keys
from worker.queue.completion import Completion
from worker.queue.scripts import Enqueue


async def _die(bench: ScriptBench, name: str = "a") -> None:
    """Claim a job and dead-letter it, as a worker does."""
    job = await bench.claim_one()
    assert job.job_id.decode() == bench.id(name)
    assert await bench.scripts.finish([Completion.dead(job, OWNER, dead_letter=b"dead letter")]) == [True]


async def _kept(bench: ScriptBench, name: str = "a") -> bytes | None:
    kept: bytes | None = await bench.redis.get(keys.DEAD_PAYLOAD + bench.id(name))
    return kept


class DeadPayloadContract:
    async def test_the_payload_of_a_dead_job_moves_to_its_dead_letter(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")

        await _die(bench)

        assert await _kept(bench) == b"payload"
        assert await bench.places_of("a") == {keys.DEAD, "dead index"}

    async def test_a_moved_payload_does_not_expire(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        # arq's own `enqueue_job` lets payloads expire.
        await bench.redis.pexpire(keys.JOB + bench.id("a"), 60_000)

        await _die(bench)

        assert await bench.redis.pttl(keys.DEAD_PAYLOAD + bench.id("a")) == -1

    async def test_a_payload_that_expired_while_the_job_ran_is_kept_all_the_same(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job = await bench.claim_one()
        await bench.redis.delete(keys.JOB + bench.id("a"))

        assert await bench.scripts.finish([Completion.dead(job, OWNER, dead_letter=b"dead letter")]) == [True]

        assert await _kept(bench) == b"payload"

    async def test_a_repeated_group_says_again_that_a_payload_is_to_be_stored(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        completion = Completion.dead(await bench.claim_one(), OWNER, dead_letter=b"dead letter")
        await bench.redis.delete(keys.JOB + bench.id("a"))
        assert await bench.scripts.finish([completion]) == [True]
        # As if Redis had refused the payload, which is sent after the group.
        await bench.redis.delete(keys.DEAD_PAYLOAD + bench.id("a"))

        assert await bench.scripts.finish([completion]) == [True]

        assert await _kept(bench) == b"payload"
        assert await bench.scripts.finish([completion]) == [False]

    async def test_a_payload_of_another_type_is_deleted(self, bench: ScriptBench) -> None:
        await bench.redis.lpush(keys.JOB + bench.id("a"), "x")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})
        await bench.redis.set(keys.DEAD_PAYLOAD + bench.id("a"), "of an earlier dead letter")

        await _die(bench)

        assert await _kept(bench) is None
        assert await bench.places_of("a") == {keys.DEAD, "dead index"}

    async def test_a_redriven_dead_letter_takes_its_payload_along(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await _die(bench)

        assert await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"")]) == 1

        assert await _kept(bench) is None
        assert (await bench.claim_one()).payload == b"payload"

    async def test_a_dead_letter_without_a_payload_is_not_redriven(self, bench: ScriptBench) -> None:
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})
        await _die(bench)

        assert await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"")]) == 0

        assert await bench.places_of("a") == {keys.DEAD, "dead index"}

    async def test_a_job_that_dies_twice_has_its_latest_payload(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await _die(bench)
        await bench.redis.set(keys.JOB + bench.id("a"), b"another")
        await bench.redis.zadd(bench.queue, {bench.id("a"): 1})

        await _die(bench)

        assert await _kept(bench) == b"another"

    async def test_a_dead_letter_that_was_kept_elsewhere_is_deleted_if_it_is_the_same(
        self, bench: ScriptBench
    ) -> None:
        for name in ("a", "b"):
            await bench.enqueue(name)
            await _die(bench, name)

        read = [(bench.id("a").encode(), b"dead letter"), (bench.id("b").encode(), b"another"), (b"never", b"")]
        assert await bench.scripts.discard(read) == 1

        assert await bench.places_of("a") == set()
        assert await bench.places_of("b") == {keys.DEAD, "dead index"}
        assert (await _kept(bench, "a"), await _kept(bench, "b")) == (None, b"payload")

    async def test_the_history_of_a_retried_job_outlives_its_dead_letter(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        job_id = bench.id("a")
        await bench.redis.rpush(keys.HISTORY + job_id, "a try")
        await bench.redis.zadd(keys.DEAD_INDEX, {job_id: 1})

        # Its dead letter was gone when it was read.
        assert await bench.scripts.discard([(job_id.encode(), b"")]) == 0

        assert await bench.redis.lrange(keys.HISTORY + job_id, 0, -1) == [b"a try"]
        assert await bench.redis.zscore(keys.DEAD_INDEX, job_id) is None

    async def test_the_size_of_a_dead_letter_includes_its_payload(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", payload=bytes(1_000))
        await _die(bench)

        assert (await bench.scripts.dead_sizes(-1, -1)) == [1_000 + len(b"dead letter")]
