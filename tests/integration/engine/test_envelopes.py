"""An invalid job becomes a dead letter; the worker survives, and other jobs run."""

import base64
import pickle  # noqa: TID251 - writes a pickle that the worker must never load
from pathlib import Path
from typing import Any

import orjson
import pytest
from arq.worker import func

from tests.integration.engine.conftest import Bench
from worker.codec import Codec
from worker.queue import keys


async def fine(ctx: dict[str, Any]) -> str:
    return "fine"


def _envelope(**fields: Any) -> bytes:
    return orjson.dumps({"v": 1, "t": None, "f": "fine", "a": [], "k": {}, "et": 1} | fields)


MALFORMED = {
    "not JSON": b"\x00\xff",
    "empty": b"",
    "a list": b"[]",
    "no version": orjson.dumps({"f": "fine", "a": [], "k": {}, "t": None, "et": 1}),
    "later version": _envelope(v=2),
    "function is a list": _envelope(f=[]),
    "try is text": _envelope(t="9"),
    "time is a float": _envelope(et=1e20),
    "time is out of range": _envelope(et=2**62),
    "arguments are a mapping": _envelope(a={}),
    "keywords are a list": _envelope(k=[]),
    "negative try": _envelope(t=-1),
    "too deep": b'{"v":1,"t":null,"f":"fine","a":[' + b"[" * 900 + b"]" * 900 + b'],"k":{},"et":1}',
}


@pytest.mark.parametrize("payload", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_envelope_is_dead_lettered(bench: Bench, payload: bytes) -> None:
    bad = f"{bench.queue}-bad"
    await bench.put_raw(bad, payload)
    async with bench.serving(fine):
        dead_letter = await bench.dead_letter(bad)
        assert dead_letter.failure.type == "InvalidEnvelope"
        assert dead_letter.envelope == payload
        assert await bench.outcome(await bench.put("fine")) == "fine"
        assert await bench.is_settled(bad)


async def test_a_job_with_wrong_arguments_is_dead_lettered(bench: Bench) -> None:
    bad = await bench.put("fine", "one", "too", "many")
    await bench.burst(fine)
    assert (await bench.dead_letter(bad)).failure.type == "TypeError"


async def test_a_pickle_is_never_executed(bench: Bench, tmp_path: Path) -> None:
    proof = tmp_path / "executed"

    class Hostile:
        def __reduce__(self) -> Any:
            return Path.touch, (proof,)

    bad = f"{bench.queue}-pickle"
    await bench.put_raw(bad, pickle.dumps({"t": None, "f": Hostile(), "a": (), "k": {}, "et": 1}))
    async with bench.serving(fine):
        assert (await bench.dead_letter(bad)).failure.type == "InvalidEnvelope"
        assert await bench.outcome(await bench.put("fine")) == "fine"
    assert not proof.exists()


async def test_an_unsigned_job_is_dead_lettered_if_signatures_are_required(bench: Bench) -> None:
    codec = Codec({"k1": "a secret of sixteen"})
    unsigned = await bench.put("fine")
    signed = f"{bench.queue}-signed"
    await bench.put_raw(signed, codec.encode({"t": None, "f": "fine", "a": [], "k": {}, "et": 1}))
    await bench.burst(fine, job_serializer=codec.encode, job_deserializer=codec.decode)
    assert (await bench.dead_letter(unsigned)).failure.type == "UntrustedEnvelope"
    result = codec.decode(await bench.redis.get(keys.RESULT + signed))
    assert (result["s"], result["r"]) == (True, "fine")


async def test_a_job_without_a_payload_is_dead_lettered(bench: Bench) -> None:
    bad = f"{bench.queue}-missing"
    await bench.put_raw(bad, None)
    async with bench.serving(fine):
        dead_letter = await bench.dead_letter(bad)
        assert (dead_letter.failure.type, dead_letter.failure.message) == ("JobExecutionFailed", "job expired")
        assert await bench.outcome(await bench.put("fine")) == "fine"


async def test_a_job_whose_key_has_another_type_is_dead_lettered(bench: Bench) -> None:
    bad = f"{bench.queue}-list"
    await bench.redis.rpush(keys.JOB + bad, "x")
    await bench.redis.rpush(keys.TRIES + bad, "x")
    await bench.put_raw(bad, None)
    async with bench.serving(fine):
        assert (await bench.dead_letter(bad)).failure.message == "the job's key does not hold a string"
        assert await bench.outcome(await bench.put("fine")) == "fine"


async def test_a_job_whose_id_is_not_utf8_is_dead_lettered(bench: Bench) -> None:
    stored = bench.queue.encode() + b"-\xff\xfe"
    await bench.put_raw(stored, bench.envelope("fine"))
    async with bench.serving(fine):
        dead_letter = await bench.dead_letter(f"{bench.queue}-\\xff\\xfe")
        assert dead_letter.failure.message == "the job id is not UTF-8"
        assert await bench.outcome(await bench.put("fine")) == "fine"
        assert await bench.redis.zscore(bench.queue, stored) is None


@pytest.mark.parametrize("score", ["-inf", "-5", "0"])
async def test_a_job_with_a_negative_or_zero_score_is_due(bench: Bench, score: str) -> None:
    job_id = f"{bench.queue}-score"
    await bench.put_raw(job_id, bench.envelope("fine"))
    await bench.redis.zadd(bench.queue, {job_id: score})
    async with bench.serving(fine):
        assert await bench.outcome(job_id) == "fine"


@pytest.mark.parametrize(
    "decoded",
    [
        {"f": [], "a": [], "k": {}, "t": None, "et": 1},
        {"f": "fine", "a": [], "k": {}, "t": "9", "et": 1},
        {"f": "fine", "a": [], "k": {}, "t": None, "et": 10**20},
        {"f": "fine"},
        None,
    ],
    ids=["function", "try", "time", "missing", "nothing"],
)
async def test_an_invalid_message_from_a_custom_deserializer_is_dead_lettered(bench: Bench, decoded: Any) -> None:
    bad, good = b"bad", orjson.dumps({"f": "fine", "a": [], "k": {}, "t": None, "et": 1})
    await bench.put_raw(f"{bench.queue}-bad", bad)
    await bench.put_raw(f"{bench.queue}-good", good)

    def read(data: bytes) -> Any:
        return decoded if data == bad else orjson.loads(data)

    async with bench.serving(fine, job_deserializer=read):
        dead_letter = await bench.dead_letter(f"{bench.queue}-bad")
        assert base64.b64decode(dead_letter.payload) == bad
        assert await bench.outcome(f"{bench.queue}-good") == "fine"


async def test_many_malformed_jobs_do_not_block_valid_ones(bench: Bench) -> None:
    for number in range(200):
        await bench.put_raw(f"{bench.queue}-bad-{number}", b"\x80\x04broken")
    good = [await bench.put("fine") for _ in range(50)]
    async with bench.serving(func(fine, name="fine")):
        for job_id in good:
            assert await bench.outcome(job_id) == "fine"
        await bench.until(lambda: _empty(bench))


async def _empty(bench: Bench) -> bool:
    return not await bench.redis.zcard(bench.queue)
