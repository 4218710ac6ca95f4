"""A producer whose Redis becomes a replica, or loses its own, with and without another server behind the name."""

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from producers.client import HospitalProducer
from tests.faults.injectors.proxy import Proxy
from worker.contract import HospitalRecord
from worker.embedded import EmbeddedRedis
from worker.errors import OutageError, WritesRefused
from worker.settings import load_settings

MERCY = HospitalRecord(hospital_name="Mercy")
GRACE = HospitalRecord(hospital_name="Grace")


@pytest.mark.parametrize("refusal", ["READONLY", "NOREPLICAS"])
async def test_a_call_reaches_the_server_to_which_the_name_has_moved(
    own_redis: EmbeddedRedis, refusal: str
) -> None:
    async with EmbeddedRedis() as successor, Proxy("127.0.0.1", own_redis.port) as name:
        settings = load_settings(redis_url=f"redis://127.0.0.1:{name.port}/0")
        async with HospitalProducer.connect(settings, patience=0) as producer:
            await producer.ingest_hospital(MERCY)
            await (_demote(own_redis) if refusal == "READONLY" else _cut_off(own_redis))
            # The name has not moved yet, so a new connection leads to the old primary too.
            with pytest.raises(WritesRefused, match=refusal):
                await producer.ingest_hospital(GRACE)
            name.move("127.0.0.1", successor.port)
            assert (await producer.ingest_hospital(GRACE)).state == "new"


async def test_a_refusal_by_a_replica_does_not_hide_that_an_answer_was_lost(
    own_redis: EmbeddedRedis,
) -> None:
    async with HospitalProducer.connect(load_settings(redis_url=own_redis.url)) as producer:
        enqueue = producer._queue._scripts.enqueue

        async def lose_the_answer(*args: Any) -> object:
            await enqueue(*args)
            await _demote(own_redis)
            producer._queue._scripts.enqueue = enqueue  # type: ignore[method-assign]
            raise RedisConnectionError("lost after the script ran")

        producer._queue._scripts.enqueue = lose_the_answer  # type: ignore[method-assign,assignment]
        with pytest.raises(OutageError, match="an earlier attempt may have enqueued the job") as refused:
            await producer.ingest_hospital(MERCY)
        assert not isinstance(refused.value, WritesRefused)


async def _demote(server: EmbeddedRedis) -> None:
    async with HospitalProducer.connect(load_settings(redis_url=server.url)) as other:
        await other._queue._redis.execute_command("REPLICAOF", "127.0.0.1", "1")


async def _cut_off(server: EmbeddedRedis) -> None:
    """Let a server lack the replicas without which it takes no writes."""
    async with HospitalProducer.connect(load_settings(redis_url=server.url)) as other:
        await other._queue._redis.config_set("min-replicas-to-write", 1)
