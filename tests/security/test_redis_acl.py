"""The ACL rules for Redis users in docs/security.md allow what a worker and a producer need, and no more."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job
from arq.worker import func
from redis.exceptions import RedisError

from producers.client import HospitalProducer
from tests.acceptance.gateway.conftest import serving
from tests.security.fleet import ROOT, RULES, Fleet, granted
from tests.security.scanner import CANARY
from worker.codec import Codec
from worker.contract import INGEST_HOSPITAL, QUEUES, HospitalRecord, IngestHospital, IngestOutcome
from worker.contract.actions import Action
from worker.contract.job_ends import EndGroup
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.errors import ConfigurationError, KeyUsedTwice, OutageError
from worker.monitoring.job_facts import read_job_facts
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.ended_jobs import EndedJobs
from worker.queue.heartbeats import ready_workers
from worker.queue.scripts import Scripts
from worker.queue.sorted_pages import read_entries
from worker.queue.stats import read_stats
from worker.redis.startup import check_redis

# Sent only after a crash, with a full Redis, a key of another type, stock arq workers, or with rare timing.
_RARE = {"decr", "hexists", "pexpire", "pttl", "type", "zcount"}


class History:
    """What the worker has moved; storing fails once, so that Redis holds it for a while."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.is_open = False

    async def store(self, groups: Sequence[EndGroup]) -> None:
        if not self.is_open:
            raise OutageError("MongoDB is unavailable")
        self.moved += [past.end.job_id for group in groups for past in group.ends()]


class NamedBehaviour:
    """A job that does what its hospital's name says: succeeds, fails once, always fails, or runs until aborted."""

    def __init__(self) -> None:
        self._failed = False

    async def __call__(self, ctx: dict[str, Any], payload: dict[str, Any]) -> IngestOutcome:
        name = payload["record"]["hospital_name"]
        if name == "always fails" or (name == "fails once" and not self._failed):
            self._failed = self._failed or name != "always fails"
            raise ValueError(name) if name == "always fails" else ConnectionResetError
        if name == "runs on":
            await asyncio.Event().wait()
        return IngestOutcome(hospital_id="x", status="created")


def _ingest(name: str) -> IngestHospital:
    return IngestHospital(record=HospitalRecord(hospital_name=name))


async def _use_a_key_twice(producer: HospitalProducer) -> None:
    await producer.ingest_hospital(HospitalRecord(hospital_name="succeeds"), idempotency_key="key")
    with pytest.raises(KeyUsedTwice):
        await producer.ingest_hospital(HospitalRecord(hospital_name="another"), idempotency_key="key")


async def test_the_rules_of_a_version_without_digests_let_producers_work_as_before(fleet: Fleet) -> None:
    new = ["~arq:digest:*", "~arq:dead:payload:*"]
    rules = [rule for rule in RULES["hospital_producer"] if rule not in new]
    assert len(rules) == len(RULES["hospital_producer"]) - len(new)
    await fleet.admin.execute_command("ACL", "SETUSER", "old_producer", "on", f">{CANARY}", *rules)
    async with HospitalProducer.connect(fleet.settings("old_producer"), patience=1) as producer:
        await _use_a_key_twice(producer)
        await fleet.admin.delete(keys.JOB + "ingest_hospital:key")
        await fleet.admin.set(keys.DIGEST + "ingest_hospital:key", "x" * 16)
        # It cannot see that; the job finds its traces in MongoDB.
        record = HospitalRecord(hospital_name="another")
        assert (await producer.ingest_hospital(record, idempotency_key="key")).state == "new"
        await fleet.admin.delete(keys.JOB + "ingest_hospital:key")
        await fleet.admin.hset(keys.DEAD, "ingest_hospital:key", "letter")
        assert (await producer.ingest_hospital(record, idempotency_key="key")).state == "dead"


async def test_the_rules_allow_everything_that_the_queue_needs(  # noqa: PLR0915  # everything, in one fleet
    fleet: Fleet,
) -> None:
    async with HospitalProducer.connect(fleet.settings("hospital_producer"), patience=2) as producer:
        receipts = {
            name: await producer.ingest_hospital(HospitalRecord(hospital_name=name))
            for name in ("succeeds", "fails once", "always fails", "runs on")
        }
        assert (await producer.status(receipts["always fails"].job_id)).state == "queued"
        await _use_a_key_twice(producer)
        # The worker below does not have this function.
        await producer.discard_hospital("name:mercy", revision=1)
        batch, cancelled = producer.batch(), producer.batch()
        for created in (batch, cancelled):
            await created.create((INGEST_HOSPITAL, _ingest("completion")))
            await created.add(INGEST_HOSPITAL, [_ingest("in a batch")])
        await batch.seal()
        assert (await cancelled.cancel()).state == "cancelled"
        assert [job.outcome async for job in cancelled.jobs()] == ["dropped"]
        sent = await fleet.used()
        pool, history = fleet.open("hospital_worker"), History()

        async def connect() -> ArqRedis:
            await check_redis(pool, fleet.settings("hospital_worker"))
            return pool

        worker = LeaseWorker(
            [func(NamedBehaviour().__call__, name="ingest_hospital")],
            queues=dict.fromkeys(QUEUES, 10),
            lease=1,
            poll_delay=0.1,
            job_completion_wait=0,
            handle_signals=False,
            allow_abort_jobs=True,
            open_redis=connect,
            open_history=lambda _: history.store,
        )
        working = asyncio.create_task(worker.async_run())
        await fleet.until(lambda: fleet.admin.hexists(keys.DEAD, receipts["always fails"].job_id))
        await fleet.until(lambda: fleet.admin.exists(keys.RESULT + receipts["fails once"].job_id))
        await fleet.until(lambda: ready_workers(fleet.admin))
        await fleet.until(lambda: fleet.admin.zcard(keys.UNKNOWN))
        operator = fleet.open("hospital_worker")
        dead_letters = DeadLetterStore(operator)
        (dead_letter,) = [await dead_letters.get(found.job_id) async for found in dead_letters.all()]
        assert (await read_stats(operator, QUEUES)).dead == 1
        assert len(await dead_letters.sizes(0)) == 1
        # The running job's lease is renewed meanwhile, and released at the end.
        await fleet.until(lambda: fleet.admin.zscore(QUEUES[0] + keys.LEASED_SUFFIX, receipts["runs on"].job_id))
        assert (await read_job_facts(operator, Codec(), receipts["runs on"].job_id)).is_held
        job = Job(receipts["runs on"].job_id, fleet.admin, _deserializer=Codec().decode)
        assert await job.abort(timeout=5, poll_delay=0.05)
        await fleet.until(lambda: fleet.admin.hget(keys.CLOCK, "seen"))
        assert dead_letter.job_id in [
            past.end.job_id async for group in EndedJobs(operator).newest() for past in group.ends()
        ]
        history.is_open = True
        await fleet.until(lambda: dead_letter.job_id in history.moved)
        assert await dead_letters.retry([dead_letter]) == 1
        await fleet.until(lambda: fleet.admin.hexists(keys.DEAD, dead_letter.job_id))
        found = await dead_letters.find(dead_letter.job_id)
        assert await dead_letters.discard_unchanged([found]) == 1
        assert (await Scripts(operator).recover("unknown", QUEUES))[0] == 0
        await worker.close()
        await working
        await operator.aclose(close_connection_pool=True)
        worked = await fleet.used()
        assert (await receipts["fails once"].outcome(timeout=5)).status == "created"
        # Its outcome is kept; so is, for longer, what it did.
        await _use_a_key_twice(producer)
        await fleet.admin.delete(keys.RESULT + "ingest_hospital:key")
        await _use_a_key_twice(producer)
        assert (await batch.wait(timeout=5)).complete == 1
        # Redis counts a blocked command once it has been answered.
        with pytest.raises(TimeoutError):
            await (await producer.ingest_hospital(HospitalRecord(hospital_name="waits"))).outcome(timeout=0.8)
        sent |= await fleet.used()
    assert await fleet.refusals() == []
    # Every granted command is used, so the rules grant nothing unnecessary.
    assert granted("hospital_worker") - worked - _RARE == set()
    assert granted("hospital_producer") - sent - {"hdel", "hexists", "zrem"} == set()


async def test_an_operator_may_do_what_commands_and_pages_do(fleet: Fleet) -> None:
    assert granted("hospital_operator") - granted("hospital_worker") == {
        "hkeys",
        "zmscore",
        "zrank",
        "zrevrange",
        "zrevrank",
    }
    await fleet.admin.zadd(keys.DEAD_INDEX, {"a": 1, "b": 2, "c": 3})
    # One that the index does not have: then all are listed.
    await fleet.admin.hset(keys.DEAD, mapping=dict.fromkeys("abcd", "letter"))
    operator = fleet.open("hospital_operator")

    assert len([found.job_id async for found in DeadLetterStore(operator).all()]) == 4
    for newest_first in (False, True):
        (first,) = await read_entries(operator, keys.DEAD_INDEX, "", 1, newest_first=newest_first)
        (second,) = await read_entries(operator, keys.DEAD_INDEX, first.cursor(), 1, newest_first=newest_first)
        assert second.member == b"b"
    assert await operator.zmscore(QUEUES[0] + keys.LEASED_SUFFIX, ["a"]) == [None]
    await operator.aclose(close_connection_pool=True)
    assert await fleet.refusals() == []


async def test_a_producer_needs_more_rights_to_explain_jobs(fleet: Fleet) -> None:
    named = (ROOT / "docs" / "security.md").read_text().partition("To explain jobs")[2].partition(".\n")[0]
    more = re.findall(r"`([~+][^`]+)`", named)
    async with HospitalProducer.connect(fleet.settings("hospital_producer"), patience=1) as producer:
        receipt = await producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
        with pytest.raises(ConfigurationError, match=r"needs more rights \(docs/security\.md, Redis\): "):
            await producer.explain(receipt.job_id)
    assert len(await fleet.refusals()) > 0

    await fleet.admin.execute_command("ACL", "LOG", "RESET")
    rules = [*RULES["hospital_producer"], *more]
    await fleet.admin.execute_command("ACL", "SETUSER", "explaining", "on", f">{CANARY}", *rules)
    async with HospitalProducer.connect(fleet.settings("explaining"), patience=1) as producer:
        assert (await producer.explain(receipt.job_id)).state == "queued"
        assert (await producer.explain("ingest_hospital:never")).state == "unknown"
    assert await fleet.refusals() == []


async def test_a_gateway_may_do_what_its_requests_need_and_no_more(fleet: Fleet) -> None:
    more = set(RULES["hospital_gateway"]) - set(RULES["hospital_producer"])
    assert set(RULES["hospital_producer"]) <= set(RULES["hospital_gateway"])
    secret = fleet.settings("hospital_gateway").redis_url.get_secret_value()
    # Without MongoDB, and so without what is asked there.
    async with serving(redis_url=secret, worker_history_days=0) as gateway:
        client = await gateway.client("boss")
        assert (await client.get("/health/ready")).json()["redis"] == "ok"
        record = {"hospital_name": "Mercy"}
        send: dict[str, Any] = {"json": {"record": record}, "headers": {"Idempotency-Key": "one"}}
        await fleet.admin.config_resetstat()
        receipt = (await client.post("/v1/jobs/ingest_hospital", **send)).json()
        links = receipt["links"]
        assert (await client.get(links["outcome"], params={"wait": 0.8})).status_code == 202
        assert (await client.get(links["explanation"])).json()["state"] == "queued"
        assert (await client.delete(links["status"])).status_code == 202
    gateway_redis = fleet.open("hospital_gateway")
    assert [group async for group in EndedJobs(gateway_redis).newest()] == []
    await gateway_redis.aclose(close_connection_pool=True)
    used = await fleet.used()

    assert await fleet.refusals() == []
    assert {rule[1:] for rule in more if rule.startswith("+")} - used == set()
    assert {rule for rule in more if rule.startswith("~")} == {
        f"~{key}" for key in (keys.ACTIONS, keys.DEAD_INDEX, keys.ENDED, keys.PAUSES, keys.UNKNOWN, keys.WORKERS)
    }


@pytest.mark.parametrize("user", RULES)
async def test_the_rules_deny_server_commands_and_other_keys(fleet: Fleet, user: str) -> None:
    commands = [
        *(["KEYS", "*"], ["SCAN", "0"], ["FLUSHALL"], ["CONFIG", "GET", "requirepass"], ["EVAL", "return 0", "0"]),
        *(["SHUTDOWN"], ["ACL", "LIST"], ["MONITOR"], ["SET", "other:key", "x"], ["GET", "other:key"]),
    ]
    assert await fleet.allowed(user, commands) == []


async def test_a_producer_cannot_list_what_others_enqueued(fleet: Fleet) -> None:
    commands = [
        ["HGETALL", keys.DEAD],
        ["ZRANGE", QUEUES[0], "0", "-1"],
        ["ZRANGEBYSCORE", QUEUES[0], "-inf", "+inf"],
        ["HGETALL", keys.WORKERS],
        ["ZRANGE", keys.BATCHES, "0", "-1"],
    ]
    assert await fleet.allowed("hospital_producer", commands) == []


async def test_a_producer_can_overwrite_and_delete_a_job_whose_id_it_knows(fleet: Fleet) -> None:
    """A Redis script has only the rights of its caller, so the caller may send the script's commands directly."""
    async with HospitalProducer.connect(fleet.settings("hospital_producer")) as producer:
        receipt = await producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
    redis = fleet.open("hospital_producer")
    assert await redis.get(keys.JOB + receipt.job_id)
    assert await redis.delete(keys.JOB + receipt.job_id) == 1
    await redis.aclose(close_connection_pool=True)


async def test_only_a_producer_that_may_write_actions_records_any(fleet: Fleet) -> None:
    action = Action(actor="ann@vm", act="cancel", target="import", ids=("list-1",))
    async with HospitalProducer.connect(fleet.settings("hospital_producer"), patience=1) as producer:
        with pytest.raises(ConfigurationError, match="cannot be recorded, so nothing was done") as refused:
            await producer.record_action(action)
    assert keys.ACTIONS in str(refused.value)
    assert CANARY not in str(refused.value)
    section = (ROOT / "docs" / "security.md").read_text()
    assert f"also need `~{keys.ACTIONS}`" in section
    await fleet.admin.execute_command("ACL", "SETUSER", "hospital_producer", f"~{keys.ACTIONS}")
    async with HospitalProducer.connect(fleet.settings("hospital_producer"), patience=1) as producer:
        await producer.record_action(action)
    assert await fleet.admin.hkeys(keys.ACTIONS) == [action.id.encode()]


async def test_missing_rights_are_reported_without_the_password(fleet: Fleet) -> None:
    await fleet.admin.execute_command("ACL", "SETUSER", "hospital_producer", "-evalsha")
    async with HospitalProducer.connect(fleet.settings("hospital_producer"), patience=1) as producer:
        with pytest.raises(ConfigurationError, match="what the user may do") as refused:
            await producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
    assert CANARY not in str(refused.value)


async def test_an_unknown_user_is_reported_without_the_password(fleet: Fleet) -> None:
    settings = fleet.settings("unknown")
    redis = open_arq_redis(settings, Codec())
    with pytest.raises((ConfigurationError, RedisError)) as refused:
        await check_redis(redis, settings)
    assert CANARY not in str(refused.value)
    await redis.aclose(close_connection_pool=True)
