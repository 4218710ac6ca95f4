from typing import Any

import pytest
from fakeredis import FakeRedis, FakeServer
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.redis_scripts.script_bench import ScriptBench
from tests.unit.engine.conftest import WORKER_ID, KeptEvents, open_client
from worker.engine import final_hand_back
from worker.engine.events import JobsLeftBehind
from worker.engine.final_hand_back import FinalHandBack
from worker.engine.running_job import RunningJob
from worker.queue import keys

TOKEN = "token"


class Held:
    """Claimed jobs on a Redis inside this process."""

    def __init__(self, server: FakeServer) -> None:
        self.bench = ScriptBench(open_client(server))
        self.jobs: dict[bytes, RunningJob] = {}

    async def claim(self, *names: str) -> None:
        await self.bench.enqueue(*names)
        for claimed in (await self.bench.claim(TOKEN)).jobs:
            self.jobs[claimed.job_id] = RunningJob(claimed, TOKEN)

    def __getitem__(self, name: str) -> RunningJob:
        return self.jobs[self.bench.id(name).encode()]

    async def leased(self, *names: str) -> list[str]:
        return [name for name in names if "leased" in await self.bench.places_of(name)]


@pytest.fixture
async def held(server: FakeServer) -> Any:
    held = Held(server)
    yield held
    await held.bench.redis.aclose(close_connection_pool=True)


def act_on(held: Held, server: FakeServer, events: KeptEvents) -> FinalHandBack:
    return FinalHandBack(lambda: FakeRedis(server=server), held.jobs, WORKER_ID, events)


async def test_running_jobs_are_handed_back_untouched(
    held: Held, server: FakeServer, events: KeptEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(final_hand_back, "_PER_CALL", 2)
    await held.claim("a", "b", "c", "spinning", "ended")
    held["ended"].end()

    act_on(held, server, events).hand_back_running(except_for=held["spinning"])

    assert await held.leased("a", "b", "c", "spinning", "ended") == ["spinning", "ended"]
    assert [(job.crashes, job.tries) for job in (await held.bench.claim("next")).jobs] == [(0, 1)] * 3
    assert events.sent == []


async def test_jobs_that_ended_and_were_not_stored_are_put_back_too(
    held: Held, server: FakeServer, events: KeptEvents
) -> None:
    await held.claim("ended", "let go", "another")
    for name in ("ended", "let go"):
        held[name].end()
    left = [held["ended"], held["let go"]]
    # The last steps of their tasks forget them.
    held.jobs.clear()

    act_on(held, server, events).hand_back_jobs(left)

    assert await held.leased("ended", "let go", "another") == ["another"]
    assert [(job.crashes, job.tries) for job in (await held.bench.claim("next")).jobs] == [(0, 1)] * 2
    assert events.sent == []


async def test_a_worker_that_leaves_is_no_longer_listed(held: Held, server: FakeServer, events: KeptEvents) -> None:
    await held.claim("a")
    await held.bench.redis.hset(keys.WORKERS, mapping={WORKER_ID: "heartbeat", "another": "heartbeat"})
    await held.bench.redis.delete(keys.CLAIMS)
    await held.bench.redis.hset(keys.CLAIMS, mapping={WORKER_ID: 1, "another": 1})

    act_on(held, server, events).sign_off()

    assert await held.leased("a") == []
    assert await held.bench.redis.hkeys(keys.WORKERS) == [b"another"]
    assert await held.bench.redis.hkeys(keys.CLAIMS) == [b"another"]


async def test_jobs_of_another_owner_are_left_alone(held: Held, server: FakeServer, events: KeptEvents) -> None:
    await held.claim("a")
    await held.bench.redis.hset(keys.LEASES, held.bench.id("a"), "another")

    act_on(held, server, events).hand_back_running()

    assert await held.leased("a") == ["a"]


async def test_jobs_that_redis_does_not_take_back_are_reported(held: Held, events: KeptEvents) -> None:
    await held.claim("a", "b")

    def gone() -> Any:
        raise RedisConnectionError

    FinalHandBack(gone, held.jobs, WORKER_ID, events).sign_off()

    assert events.sent == [JobsLeftBehind(2)]


async def test_without_jobs_redis_is_not_asked(events: KeptEvents) -> None:
    def not_called() -> Any:
        raise AssertionError("nothing to hand back")

    FinalHandBack(not_called, {}, WORKER_ID, events).hand_back_running()

    assert events.sent == []
