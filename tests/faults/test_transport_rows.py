"""The way to Redis and MongoDB: a name that moves, threads that are all busy, unusual producers and processes."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from producers.client import HospitalProducer
from tests.faults.faulty_jobs import FAULTY, count_runs, put_faulty, wait_for_runs
from tests.faults.injectors.first_process import blocks, first_process
from tests.faults.injectors.moving_name import MovingName, direct
from tests.faults.injectors.proxy import Proxy
from tests.faults.load import record
from tests.faults.producer_script import WAYS
from tests.faults.rows import Row
from tests.faults.stand import Stand, open_stand_on_a_name
from tests.integration.redis.sentinel_servers import Sentinel, sentinel_url
from worker.contract import INGEST_HOSPITAL
from worker.errors import ConfigurationError
from worker.queue import keys
from worker.settings import load_settings

WORKS_AGAIN_WITHIN_S = 5.0
RECONNECTED_WITHIN_S = 20.0
RUNNING = 20
LEASED = "arq:queue" + keys.LEASED_SUFFIX


# ---- row 38 -------------------------------------------------------------------------------------------


async def _open_gate(name: MovingName) -> None:
    """Let the held jobs continue."""
    async with direct(name.primary) as redis:
        await redis.set("gate", 1)


def _works_again_within_s(name: MovingName) -> float:
    """Return how many seconds are left until everything must work."""
    return WORKS_AGAIN_WITHIN_S - (time.monotonic() - name.moved_at)


async def _renewed(stand: Stand, since_ms: float) -> bool:
    leases = await stand.redis.zrange(LEASED, 0, -1, withscores=True)
    held = [ends for job_id, ends in leases if job_id.startswith(b"held")]
    return len(held) == RUNNING and min(held) > since_ms


async def test_row_38_a_name_moves_and_its_old_primary_becomes_a_replica(tmp_path: Path, row: Row) -> None:
    async with open_stand_on_a_name(tmp_path, row) as (stand, name):
        await stand.worker(FAULTY)
        await put_faulty(stand, "held", count=RUNNING)
        await wait_for_runs(stand, RUNNING)
        async with stand.load(per_second=40) as load:
            await stand.effects_grow_by(50)
            latest = max(ends for _, ends in await stand.redis.zrange(LEASED, 0, -1, withscores=True))
            await name.fail_over()
            row.faults += 1
            receipt = await stand.producer_client.ingest_hospital(record(-1))
            stand.ledger.accept("ingest", receipt.job_id, "faults:h-1")
            await receipt.outcome(timeout=_works_again_within_s(name))
            row.notes["a fresh job ended after s"] = round(time.monotonic() - name.moved_at, 2)
            await stand.until(lambda: _renewed(stand, latest), _works_again_within_s(name))
            refused = load.refused
            await _open_gate(name)
            await stand.effects_grow_by(50)
            assert load.refused == refused
        account = await stand.balance()
        assert account.dead == 0
        # No lease was lost, so no job was run by a second owner.
        assert await count_runs(stand) == RUNNING


async def test_row_38_a_name_moves_under_the_worker_of_an_arq_user(tmp_path: Path, row: Row) -> None:
    async with open_stand_on_a_name(tmp_path, row) as (stand, name):
        await stand.worker("tests.faults.settings.arq_user.WorkerSettings")
        for number in range(RUNNING):
            await stand.put("held", job_id=f"held:{number}")
        await wait_for_runs(stand, RUNNING)
        latest = max(ends for _, ends in await stand.redis.zrange(LEASED, 0, -1, withscores=True))
        await name.fail_over()
        row.faults += 1
        async with direct(name.primary) as redis:
            stand.scripts = type(stand.scripts)(redis)
            await stand.put("quick", job_id="quick")
            assert (await stand.result("quick", _works_again_within_s(name)))["r"] == 1
            await stand.until(lambda: _renewed(stand, latest), _works_again_within_s(name))
            await _open_gate(name)
            results = [await stand.result(f"held:{number}") for number in range(RUNNING)]
        assert [result["r"] for result in results] == [1] * RUNNING
        assert await count_runs(stand) == RUNNING


@pytest.mark.long
async def test_row_38_a_name_moves_away_from_a_primary_that_is_frozen(tmp_path: Path, row: Row) -> None:
    async with open_stand_on_a_name(tmp_path, row) as (stand, name):
        await stand.worker()
        producer = stand.producer_client
        # Each of these leaves a connection behind. One that is not closed takes a time-out of its own as soon as so
        # many are needed at once again.
        await asyncio.gather(*(producer.status("none:1") for _ in range(15)))
        await name.until_copied()
        frozen = name.primary
        frozen.freeze()
        await name.promote()
        row.faults += 1
        load = stand.load(amended=0)
        for count in range(1, 6):
            await load.put_many("ingest", count)
        row.notes["15 jobs accepted after s"] = round(time.monotonic() - name.moved_at, 2)
        for job_id in stand.ledger.accepted:
            receipt = producer.receipt(INGEST_HOSPITAL, job_id)
            await receipt.outcome(timeout=_works_again_within_s(name))
        assert _works_again_within_s(name) > 0
        # The test's own connections lead to the frozen server too.
        await stand.redis.connection_pool.disconnect()
        await stand.balance()
        frozen.thaw()


async def test_row_38_a_producer_that_only_reads_notices_that_the_name_has_moved(tmp_path: Path, row: Row) -> None:
    async with open_stand_on_a_name(tmp_path, row) as (stand, name):
        await stand.worker(FAULTY)
        await put_faulty(stand, "held")
        await wait_for_runs(stand, 1)
        (job_id,) = stand.ledger.accepted
        async with HospitalProducer.connect(load_settings(redis_url=name.url)) as reader:
            while (await reader.status(job_id)).state != "running":
                await asyncio.sleep(0.02)
            await name.until_copied()
            async with direct(name.primary) as first:
                # It receives nothing more, and answers reads with what it had.
                await first.execute_command("REPLICAOF", "127.0.0.1", "1")
                await name.promote()
                row.faults += 1
                await _open_gate(name)

                async def done() -> bool:
                    return (await reader.status(job_id)).state == "done"

                await stand.until(done, _works_again_within_s(name))
        assert (await stand.balance()).applied == 1


# ---- row 47 -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crowd:
    """A worker whose executor is full, and the proxies to its servers."""

    stand: Stand
    gate: Path
    proxies: list[Proxy]

    async def fill(self) -> None:
        await self.stand.put("crowd", job_id="crowd:1")
        await wait_for_runs(self.stand, 1)

    def cut(self) -> None:
        self.stand.row.faults += sum(proxy.cut_all() for proxy in self.proxies)

    async def runs_a_job(self, within_s: float) -> None:
        began = time.monotonic()
        receipt = await self.stand.producer_client.ingest_hospital(record(-3))
        self.stand.ledger.accept("ingest", receipt.job_id, "faults:h-3")
        await receipt.outcome(timeout=within_s)
        self.stand.row.notes["reconnected after s"] = round(time.monotonic() - began, 2)


@asynccontextmanager
async def _crowd(stand: Stand, redis: Proxy, *more: Proxy) -> AsyncIterator[Crowd]:
    gate = stand.folder / "gate"
    try:
        yield Crowd(stand, gate, [redis, *more])
    finally:
        gate.touch()


async def test_row_47_sentinel_and_a_full_executor(stand: Stand) -> None:
    async with (
        Sentinel() as sentinel,
        Proxy("127.0.0.1", stand.redis_server.port) as proxy,
        _crowd(stand, proxy) as crowd,
    ):
        await sentinel.monitor(proxy.port, quorum=2)
        worker = await stand.worker(
            "tests.faults.settings.crowded.WorkerSettings",
            REDIS_URL=sentinel_url(sentinel),
            CROWD_GATE=str(crowd.gate),
            WORKER_GRACE_PERIOD="0.5",
        )
        await crowd.fill()
        crowd.cut()
        await crowd.runs_a_job(RECONNECTED_WITHIN_S)
        # The job is handed back, though handing back needs a new connection.
        crowd.cut()
        worker.send(signal.SIGTERM)
        await stand.until(lambda: _nothing_is_leased(stand), WORKS_AGAIN_WITHIN_S)
        crowd.gate.touch()
        assert await worker.ended() == 0
        assert await stand.redis.zcard("arq:queue") == 1
        await stand.redis.delete("arq:queue")
        await stand.balance()


async def _nothing_is_leased(stand: Stand) -> bool:
    return await stand.leases() == 0


@pytest.mark.parametrize(
    ("loop", "driver"),
    [("asyncio", "pymongo"), ("asyncio", "motor"), ("uvloop", "pymongo"), ("uvloop", "motor")],
)
async def test_row_47_host_names_and_a_full_executor(stand: Stand, loop: str, driver: str) -> None:
    (member,) = stand.mongo_server.members
    async with (
        Proxy("127.0.0.1", stand.redis_server.port) as redis,
        Proxy("127.0.0.1", member.port) as mongo,
        _crowd(stand, redis, mongo) as crowd,
    ):
        await stand.worker(
            "tests.faults.settings.crowded.WorkerSettings",
            REDIS_URL=f"redis://localhost:{redis.port}/0",
            MONGODB_URL=f"mongodb://localhost:{mongo.port}/?directConnection=true",
            MONGODB_DRIVER=driver,
            CROWD_LOOP=loop,
            CROWD_GATE=str(crowd.gate),
        )
        await crowd.fill()
        crowd.cut()
        # The lost connection to MongoDB can cost a retry.
        await crowd.runs_a_job(WORKS_AGAIN_WITHIN_S)
        crowd.gate.touch()
        assert (await stand.balance()).applied == 1


# ---- row 50 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", list(WAYS))
async def test_row_50_a_producer_is_used_in_several_event_loops_and_processes(stand: Stand, way: str) -> None:
    await stand.worker()
    script = await stand.run("tests.faults.producer_script", way)
    stand.row.faults += 1
    assert (script.code, script.err) == (0, "")
    for job_id, hospital_id in json.loads(script.out).items():
        stand.ledger.accept("ingest", job_id, hospital_id)
    account = await stand.balance()
    assert account.applied >= 60


async def test_row_50_an_option_that_breaks_the_queue_is_one_clear_error(stand: Stand) -> None:
    for option in ("decode_responses=true", "protocol=3", "max_connections=1", "retry=3"):
        url = f"{stand.redis_server.url}?{option}"
        stand.row.faults += 1
        with pytest.raises(ConfigurationError, match=rf"\AREDIS_URL: {option.partition('=')[0]} [^\n]+\Z"):
            HospitalProducer.connect(load_settings(redis_url=url))
        ended = await stand.run("arq", "worker.main.WorkerSettings", REDIS_URL=url)
        assert ended.code == 1
        assert re.fullmatch(r"The worker cannot start: REDIS_URL: [^\n]+\n", ended.err)


def _image_command() -> list[str]:
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text("utf-8")
    found = re.search(r"^CMD \[(.*)\]$", dockerfile, re.MULTILINE)
    assert found is not None
    return re.findall(r'"([^"]+)"', found[1])


def _starts(pid: int) -> bool:
    """Whether Python has begun to start, or a SIGTERM waits until it has."""
    program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    if b"unshare" in program:
        # Not our command yet. It blocks SIGTERM too, for a moment, and lets it through before our command begins.
        return False
    return blocks(pid, signal.SIGTERM) or b"python" in program


async def test_row_50_process_1_heeds_sigterm_from_its_first_instant(stand: Stand) -> None:
    environment = stand._environment({"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
    log = stand.folder / "first.log"
    async with first_process(*_image_command(), log=log, environment=environment) as (parent, pid):
        await stand.until(lambda: _starts(pid))
        os.kill(pid, signal.SIGTERM)
        stand.row.faults += 1
        assert await asyncio.wait_for(parent.wait(), 20) == 128 + signal.SIGTERM
    assert log.read_text() == ""


async def test_row_50_process_1_heeds_sigterm_before_arq_does(tmp_path: Path, row: Row) -> None:
    log = tmp_path / "first.log"
    script = "import os, signal, worker.main; os.kill(os.getpid(), signal.SIGTERM); print('went on')"
    command = (sys.executable, "-c", script)
    async with first_process(*command, log=log, environment=os.environ) as (parent, _):
        row.faults += 1
        assert await asyncio.wait_for(parent.wait(), 20) == 128 + signal.SIGTERM
    assert log.read_text() == ""
