"""What a worker tries before it serves, on a simulated Redis; tests/integration/queue has a server's refusals."""

import re
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from worker.errors import ConfigurationError
from worker.queue import keys
from worker.queue.key_types import foreign_keys, typed_keys
from worker.queue.scripts import Scripts
from worker.queue.trial import commands_on_text, try_queue

QUEUES = ["queue", "bulk"]
ROOT = Path(__file__).resolve().parents[3]
TRIED = {command[0].replace(" ", "|").lower() for command in commands_on_text("key")} | {"set"}


async def _everything(redis: Any) -> set[bytes]:
    return {key async for key in redis.scan_iter()}


async def test_a_trial_leaves_nothing_behind_but_the_time_at_which_a_worker_was_heard(redis: Any) -> None:
    await try_queue(redis, QUEUES, 10_000)
    assert await _everything(redis) == {keys.CLOCK.encode()}
    assert await redis.hkeys(keys.CLOCK) == [b"noted", b"ahead", b"seen"]


async def test_a_trial_changes_no_job(redis: Any) -> None:
    await redis.zadd("queue", {"job": 1})
    await redis.hset(keys.LEASES, "job", "token")
    await redis.hset(keys.DEAD, "dead", "{}")
    await try_queue(redis, QUEUES, 10_000)
    assert await redis.zrange("queue", 0, -1, withscores=True) == [(b"job", 1.0)]
    assert await redis.hgetall(keys.LEASES) == {b"job": b"token"}
    assert await redis.hgetall(keys.DEAD) == {b"dead": b"{}"}


@pytest.mark.parametrize("key", typed_keys(QUEUES))
async def test_each_key_of_another_type_is_refused_by_name(redis: Any, key: str) -> None:
    expected = typed_keys(QUEUES)[key]
    found = "list" if expected == "string" else "string"
    await (redis.lpush(key, "foreign") if found == "list" else redis.set(key, "foreign"))
    message = f"the key {key} in Redis holds {found}, not {expected}"
    with pytest.raises(ConfigurationError, match=message) as refused:
        await try_queue(redis, QUEUES, 10_000)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("suffix", [":leased", ":wakeup", ":cron", ":health-check", ":rate"])
async def test_a_queue_that_is_called_like_a_key_of_another_is_refused(redis: Any, suffix: str) -> None:
    await try_queue(redis, [f"queue{suffix}", "bulk"], 10_000)
    message = rf"^a queue cannot be called queue{suffix}: queue uses that key\. Give it another name$"
    with pytest.raises(ConfigurationError, match=message):
        await try_queue(redis, [f"queue{suffix}", "queue"], 10_000)


async def test_a_queue_that_is_called_like_a_key_of_all_queues_is_refused(redis: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^a queue cannot be called arq:leases: the engine uses"):
        await try_queue(redis, ["queue", keys.LEASES], 10_000)


async def test_keys_of_their_own_types_are_no_finding(redis: Any) -> None:
    for key, kind in typed_keys(QUEUES).items():
        match kind:
            case "hash":
                await redis.hset(key, "field", "value")
            case "zset":
                await redis.zadd(key, {"member": 1})
            case "stream":
                await redis.xadd(key, {"t": "[]"})
            case "list":
                await redis.lpush(key, "value")
            case "string":
                await redis.set(key, "value")
    assert await foreign_keys(redis, QUEUES) == []
    await try_queue(redis, QUEUES, 10_000)


def test_every_fixed_key_has_a_type() -> None:
    prefixes = {keys.JOB, keys.IN_PROGRESS, keys.RESULT, keys.TRIES, keys.HISTORY, keys.DEAD_PAYLOAD}
    prefixes |= {keys.DEAD_OPERATION, keys.DIGEST, keys.RATES, keys.WAITER, keys.NOTICES}
    prefixes |= {keys.BATCH, keys.BATCH_JOBS, keys.BATCH_ORDER, keys.BATCH_COMPLETION}
    named = {value for name, value in vars(keys).items() if name.isupper()}
    suffixes = {value for value in named if value.startswith(":")}
    # A claim replaces a rate of another type, and nothing else reads it.
    of_queue = {f"queue{suffix}" for suffix in suffixes - {keys.RATE_SUFFIX} | {""}}
    assert set(typed_keys(["queue"])) == (named - prefixes - suffixes) | of_queue


def test_every_command_of_the_scripts_is_tried() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "worker" / "queue" / "lua").glob("*.lua"))
    sent = {command.lower() for command in re.findall(r"redis\.p?call\(\s*'([A-Z]+)'", sources)}
    assert "mget" in sent
    # Rules of earlier versions lack these, and the scripts do without: see docs/security.md.
    assert sent - TRIED == {"rename", "persist", "pttl", "hstrlen", "strlen", "xlen", "xadd"}


def test_every_command_that_is_tried_is_granted_by_the_documented_rules() -> None:
    (rules,) = re.findall(r"^user hospital_worker .+$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)
    granted = {rule[1:] for rule in rules.split() if rule.startswith("+")}
    assert granted >= TRIED


@pytest.mark.parametrize("script", ["claim", "recover", "finish", "enqueue", "redrive", "counts"])
async def test_a_script_that_cannot_run_is_refused_by_name(
    redis: Any, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    async def fail(*_: Any) -> None:
        raise ResponseError("NOSUCHTHING secret arguments")

    monkeypatch.setattr(Scripts, script, fail)
    name = "stats" if script == "counts" else script
    with pytest.raises(ConfigurationError, match=rf"cannot run the script {name} \(NOSUCHTHING\)$"):
        await try_queue(redis, QUEUES, 10_000)


@pytest.mark.parametrize(
    "error",
    [RedisConnectionError("gone"), ReadOnlyError("replica"), ResponseError("OOM not allowed"), TimeoutError()],
)
async def test_a_redis_that_will_be_back_is_not_refused(
    redis: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tried: list[str] = []

    async def fail(*_: Any) -> None:
        tried.append("claim")
        raise error

    monkeypatch.setattr(Scripts, "claim", fail)
    await try_queue(redis, QUEUES, 10_000)
    assert tried == ["claim"]
