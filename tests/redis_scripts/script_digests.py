"""The contract of enqueue.lua and finish.lua on digests: an id that is used again must do the same."""

from typing import Any

import pytest

from tests.redis_scripts.script_bench import LEASE_MS, ScriptBench
from worker.errors import KeyUsedTwice
from worker.queue import keys
from worker.queue.scripts import Enqueue, Unmarked


def marked(name: str, rest: str = "", signed: bool = False) -> bytes:
    """Return a message with the digest of that name; `rest` differs between calls that do the same."""
    body = f'{{"v":1,"d":"{name.ljust(16, "-")}","et":"{rest}"}}'.encode()
    return b"hmac-sha256:k1:" + b"0" * 64 + b":" + body if signed else body


async def _end(bench: ScriptBench, action: Any = "done", result: bytes = b"", life_ms: int = LEASE_MS) -> None:
    job = await bench.claim_one()
    await bench.finish(
        job, action, result=result or job.payload, result_life_ms=life_ms, record=b"{}", payload=job.payload
    )


async def _waiting(bench: ScriptBench) -> None:
    return


async def _claimed(bench: ScriptBench) -> None:
    await bench.claim_one()


async def _to_be_retried(bench: ScriptBench) -> None:
    await bench.finish(await bench.claim_one(), "retry", due=60_000)


async def _done(bench: ScriptBench) -> None:
    await _end(bench)


async def _dead(bench: ScriptBench) -> None:
    await _end(bench, "dead")


async def _dead_without_result(bench: ScriptBench) -> None:
    await _dead(bench)
    await bench.redis.delete(keys.RESULT + bench.id("a"), keys.DIGEST + bench.id("a"))


async def _discarded(bench: ScriptBench) -> None:
    await _dead(bench)
    assert await bench.scripts.discard([(bench.id("a").encode(), b"{}")]) == 1


async def _retried_dead_letter(bench: ScriptBench) -> None:
    await _dead(bench)
    assert await bench.scripts.redrive([Enqueue(bench.id("a"), bench.queue, b"")]) == 1


STAGES = {
    "waiting": (_waiting, "queued"),
    "running": (_claimed, "running"),
    "to be retried": (_to_be_retried, "queued"),
    "done": (_done, "done"),
    "dead": (_dead, "dead"),
    "dead, its result expired": (_dead_without_result, "dead"),
    "discarded": (_discarded, "done"),
    "retried dead letter": (_retried_dead_letter, "queued"),
}


class DigestContract:
    @pytest.mark.parametrize("signed", [False, True])
    @pytest.mark.parametrize("stage", STAGES)
    async def test_an_id_that_does_something_else_is_refused_at_every_stage(
        self, bench: ScriptBench, stage: str, signed: bool
    ) -> None:
        bring, state = STAGES[stage]
        await bench.enqueue("a", payload=marked("act", "first", signed))
        await bring(bench)
        before = await bench.places_of("a")

        with pytest.raises(
            KeyUsedTwice, match=f"^{bench.id('a')} was enqueued with another payload: an idempotency"
        ):
            await bench.enqueue("a", payload=marked("other", "second", signed))
        assert await bench.enqueue("a", payload=marked("act", "second", signed)) == [state]
        # A program of an earlier version writes no digest, and is answered as before.
        assert await bench.enqueue("a", payload=b"payload") == [state]
        assert await bench.places_of("a") == before

    async def test_it_is_known_after_the_outcome_is_gone(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", payload=marked("act"))
        await _done(bench)
        await bench.redis.delete(keys.RESULT + bench.id("a"))

        with pytest.raises(KeyUsedTwice):
            await bench.enqueue("a", payload=marked("other"))
        assert await bench.places_of("a") == set()
        # The job runs again, and finds what it did.
        assert await bench.enqueue("a", payload=marked("act")) == ["new"]
        assert (await bench.claim_one()).payload == marked("act")

    @pytest.mark.parametrize(
        ("action", "life_ms", "kept_ms"),
        [
            ("done", LEASE_MS, 86_400_000),
            ("done", 0, 86_400_000),
            ("done", 40 * 86_400_000, 40 * 86_400_000),
            ("dead", LEASE_MS, 30 * 86_400_000),
        ],
    )
    async def test_it_is_kept_for_a_time_that_is_never_shorter_than_the_outcomes(
        self, bench: ScriptBench, action: str, life_ms: int, kept_ms: int
    ) -> None:
        await bench.enqueue("a", payload=marked("act"))
        await _end(bench, action, life_ms=life_ms)

        assert kept_ms - 20_000 < await bench.redis.pttl(keys.DIGEST + bench.id("a")) <= kept_ms
        assert await bench.redis.get(keys.DIGEST + bench.id("a")) == b"act-------------"

    async def test_a_job_without_a_digest_leaves_none(self, bench: ScriptBench) -> None:
        await bench.enqueue("a")
        await _done(bench)

        assert not await bench.redis.exists(keys.DIGEST + bench.id("a"))

    @pytest.mark.parametrize(
        "payload",
        [
            b'{"v":1,"f":"x","a":[{"v":1,"d":"other-----------"}]}',
            b'{"v":1,"f":"\\"v\\":1,\\"d\\":\\"other-----------\\""}',
            b'{"v":1,"d":"short","f":"x"}',
            b'{"v":1,"d":"' + b"x" * 17 + b'","f":"x"}',
            b'{"v":2,"d":"other-----------"}',
            b"hmac-sha256:k1:00",
            b"hmac-sha256:",
            b"",
            b"\x80\x04pickle",
        ],
    )
    async def test_what_is_not_a_digest_in_its_place_is_none(self, bench: ScriptBench, payload: bytes) -> None:
        await bench.enqueue("a", payload=payload)

        assert await bench.enqueue("a", payload=marked("act")) == [Unmarked("queued", payload)]

    async def test_what_a_program_without_digests_stored_is_returned_for_comparison(
        self, bench: ScriptBench
    ) -> None:
        await bench.enqueue("a", payload=b"envelope")
        assert await bench.enqueue("a", payload=marked("act")) == [Unmarked("queued", b"envelope")]
        await bench.claim_one()
        assert await bench.enqueue("a", payload=marked("act")) == [Unmarked("running", b"envelope")]

    async def test_so_is_what_a_worker_without_digests_stored(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", payload=b"envelope")
        await _end(bench, result=b"result")
        assert await bench.enqueue("a", payload=marked("act")) == [Unmarked("done", b"result")]
        await bench.redis.delete(keys.RESULT + bench.id("a"))
        # Nothing says what it did.
        assert await bench.enqueue("a", payload=marked("act")) == ["new"]

    async def test_so_is_the_payload_of_a_dead_letter(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", payload=b"envelope")
        await _end(bench, "dead", result=b"error")

        assert await bench.enqueue("a", payload=marked("act")) == [Unmarked("dead", b"envelope")]

    async def test_a_digest_whose_result_lost_it_is_found_beside_it(self, bench: ScriptBench) -> None:
        # A worker of an earlier version ran it, after one of this version had.
        await bench.enqueue("a", payload=marked("act"))
        await _done(bench)
        await bench.redis.set(keys.RESULT + bench.id("a"), b"result")

        with pytest.raises(KeyUsedTwice):
            await bench.enqueue("a", payload=marked("other"))
        assert await bench.enqueue("a", payload=marked("act")) == ["done"]

    async def test_the_jobs_before_it_are_enqueued_and_none_after_it(self, bench: ScriptBench) -> None:
        await bench.enqueue("b", payload=marked("act"))

        with pytest.raises(KeyUsedTwice, match=bench.id("b")):
            await bench.enqueue("a", "b", "c", payload=marked("other"))
        assert sorted(await bench.claimed_names()) == ["a", "b"]
        assert await bench.places_of("c") == set()

    async def test_so_it_is_with_one_to_be_compared(self, bench: ScriptBench) -> None:
        await bench.enqueue("b", payload=b"envelope")

        found = await bench.enqueue("a", "b", "c", payload=marked("act"))
        assert found == ["new", Unmarked("queued", b"envelope")]
        assert await bench.places_of("c") == set()

    async def test_two_jobs_of_one_call_that_share_an_id_must_do_the_same(self, bench: ScriptBench) -> None:
        jobs = [Enqueue(bench.id("a"), bench.queue, marked(name)) for name in ("act", "other")]

        with pytest.raises(KeyUsedTwice):
            await bench.scripts.enqueue(jobs)
        assert (await bench.claim_one()).payload == marked("act")

    async def test_keys_of_other_types_do_not_end_the_script(self, bench: ScriptBench) -> None:
        await bench.redis.rpush(keys.DIGEST + bench.id("a"), "x")
        await bench.redis.rpush(keys.DEAD_PAYLOAD + bench.id("b"), "x")
        await bench.redis.hset(keys.DEAD, bench.id("b"), "letter")

        assert await bench.enqueue("a", "b", payload=marked("act")) == ["new", "dead"]
        await bench.redis.hdel(keys.DEAD, bench.id("b"))


class BatchDigestContract:
    async def test_a_batch_knows_what_its_jobs_did_after_their_outcomes_are_gone(self, bench: ScriptBench) -> None:
        batch = bench.id("batch").replace(":", "-")
        await bench.batches.create(batch, None)
        assert await bench.enqueue("a", payload=marked("act"), batch=batch) == ["new"]
        job = await bench.claim_one()
        await bench.finish(job, result=job.payload, result_life_ms=LEASE_MS, batch=f"{batch} complete")
        await bench.redis.delete(keys.RESULT + bench.id("a"), keys.DIGEST + bench.id("a"))

        with pytest.raises(KeyUsedTwice):
            await bench.enqueue("a", payload=marked("other"), batch=batch)
        assert await bench.enqueue("a", payload=marked("act"), batch=batch) == ["done"]
        assert await bench.enqueue("a", payload=b"of an earlier version", batch=batch) == ["done"]
        await self._has(bench, batch, [(bench.id("a"), "complete")])

    async def test_a_job_that_is_refused_is_not_added(self, bench: ScriptBench) -> None:
        batch = bench.id("batch").replace(":", "-")
        await bench.batches.create(batch, None)
        await bench.enqueue("a", payload=marked("act"))

        with pytest.raises(KeyUsedTwice):
            await bench.enqueue("b", "a", "c", payload=marked("other"), batch=batch)
        await self._has(bench, batch, [(bench.id("b"), None)])

    async def test_nothing_is_kept_beside_the_batch_of_a_job(self, bench: ScriptBench) -> None:
        batch = bench.id("batch").replace(":", "-")
        await bench.batches.create(batch, None)
        await bench.enqueue("a", payload=marked("act"), batch=batch)
        assert await bench.redis.hkeys(keys.BATCH_JOBS + batch) == [bench.id("a").encode()]
        job = await bench.claim_one()
        await bench.finish(job, result=job.payload, batch=f"{batch} complete")

        assert await bench.redis.hget(keys.BATCH_JOBS + batch, "=" + bench.id("a")) == b"act-------------"
        assert not await bench.redis.exists(keys.DIGEST + bench.id("a"))

    async def test_a_job_that_names_a_batch_without_being_in_it_keeps_its_own(self, bench: ScriptBench) -> None:
        await bench.enqueue("a", payload=marked("act"))
        job = await bench.claim_one()
        await bench.finish(job, result=job.payload, batch=f"{bench.id('none')} complete")

        assert await bench.redis.exists(keys.DIGEST + bench.id("a"))

    async def test_a_batch_of_an_earlier_version_takes_its_jobs_again(self, bench: ScriptBench) -> None:
        batch = bench.id("batch").replace(":", "-")
        await bench.batches.create(batch, None)
        await bench.enqueue("a", payload=b"chunk", batch=batch)

        again = await bench.enqueue("a", "b", payload=marked("act"), batch=batch)
        assert again == [Unmarked("queued", b"chunk")]
        await bench.finish(await bench.claim_one(), batch=f"{batch} complete")
        assert await bench.enqueue("a", "b", payload=marked("act"), batch=batch) == ["done", "new"]
        await self._has(bench, batch, [(bench.id("a"), "complete"), (bench.id("b"), None)])

    async def test_a_cancelled_batch_drops_its_jobs_as_before(self, bench: ScriptBench) -> None:
        batch = bench.id("batch").replace(":", "-")
        await bench.batches.create(batch, None)
        await bench.enqueue("a", "b", payload=marked("act"), batch=batch)

        assert await bench.batches.cancel(batch) == 2
        assert await bench.enqueue("a", payload=marked("act"), batch=batch) == ["done"]
        await self._has(bench, batch, [(bench.id("a"), "dropped"), (bench.id("b"), "dropped")])

    async def _has(self, bench: ScriptBench, batch: str, jobs: list[tuple[str, str | None]]) -> None:
        assert await bench.batches.jobs(batch) == jobs
        assert (await bench.batches.progress(batch)).total == len(jobs)
