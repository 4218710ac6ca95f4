"""Whatever keeps jobs from running shows in `check --ready`, and a restart is asked for only if it helps.

`check --ready` must exit with an error and name the reason; `check --live` must exit with 0 as long as the worker's
event loop runs.
"""

import hashlib
import re
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.conftest import Finished, WorkerRun
from tests.faults.conftest import OpenStand
from tests.faults.faulty_jobs import FAULTY, open_gate, put_faulty, wait_for_runs
from tests.faults.injectors.processes import sigkill
from tests.faults.injectors.proxy import Proxy
from tests.faults.injectors.redis_refusals import memory_full
from tests.faults.stand import Stand
from worker.contract import QUEUES
from worker.embedded import EmbeddedRedis
from worker.queue import keys
from worker.queue.key_types import typed_keys
from worker.queue.script_source import script_source

ENDLESS = "tests.faults.settings.endless.WorkerSettings"
NOT_READY_WITHIN_S = 5.0
PASSWORD = "Sesame-0pen"
_SECURITY = Path(__file__).resolve().parents[2] / "docs" / "security.md"
(RULES,) = re.findall(r"^user hospital_worker on >PASSWORD (.+)$", _SECURITY.read_text("utf-8"), re.MULTILINE)
KEYS = typed_keys(QUEUES)
# The first is met by every claim, the second by none.
QUICK_KEYS = (keys.LEASES, keys.WORKERS)


class ClusterRedis(EmbeddedRedis):
    """A private Redis in cluster mode, as some clouds offer it under a plain host name."""

    def _arguments(self, folder: Path, port: int) -> Sequence[str]:
        arguments = super()._arguments(folder, port)
        with (folder / arguments[0]).open("a") as configuration:
            configuration.write("cluster-enabled yes\n")
        return arguments


async def _ready(stand: Stand) -> Finished:
    return await stand.command("check", "--ready", "--here")


async def _live(stand: Stand) -> Finished:
    return await stand.command("check", "--live")


async def _refusal(stand: Stand, **environment: str) -> str:
    """Start a worker that must refuse to start; return the line in which it says why."""
    run = await stand.start(**environment)
    code = await run.ended(15)
    stand.row.faults += 1
    assert code != 0
    assert "Traceback" not in run.log
    assert PASSWORD not in run.log
    line = run.log.splitlines()[-1]
    assert line.startswith("The worker cannot start: ")
    return line


async def expect_not_ready(stand: Stand, *reasons: str, seconds: float = NOT_READY_WITHIN_S) -> None:
    """Wait until `check --ready` fails and names these reasons; the worker must be live all the same."""
    stand.row.faults += 1

    async def shown() -> bool:
        check = await _ready(stand)
        return check.code != 0 and all(reason in check.err for reason in reasons)

    await stand.until(shown, seconds)
    live = await _live(stand)
    assert live.code == 0, live.err


async def _until_ready(stand: Stand, worker: WorkerRun) -> None:
    await stand.until(lambda: stand.is_ready(worker), 10)
    assert (await _ready(stand)).code == 0
    assert (await _live(stand)).code == 0


def _is_logged(worker: WorkerRun, text: str) -> bool:
    return text in worker.log


async def _still_works(stand: Stand, worker: WorkerRun) -> None:
    """The worker has recovered without a restart, and runs jobs."""
    await _until_ready(stand, worker)
    await stand.load(amended=0).put_many("register", 10)
    account = await stand.balance()
    assert account.dead == 0


@pytest.fixture
def open_readable_stand(open_stand: OpenStand, tmp_path: Path) -> OpenStand:
    """Open a stand whose workers and checks meet no other worker of this machine."""
    return partial(open_stand, TMPDIR=str(tmp_path))


# ---- refused at start ---------------------------------------------------------------------------------


async def test_row_37_cluster_mode_is_refused(open_readable_stand: OpenStand) -> None:
    async with open_readable_stand() as stand, ClusterRedis() as cluster:
        assert "runs in cluster mode" in await _refusal(stand, REDIS_URL=cluster.url)
        check = await stand.command("check", "--ready", REDIS_URL=cluster.url)
        assert (check.code, "runs in cluster mode" in check.err) == (2, True)
        assert (await _live(stand)).code == 1


async def test_row_37_missing_permissions_are_refused_by_name(open_readable_stand: OpenStand) -> None:
    async with open_readable_stand() as stand:
        url = f"redis://limited:{PASSWORD}@127.0.0.1:{stand.redis_server.port}/0"
        missing = {
            "-evalsha -script": ("evalsha", "script load"),
            # Only after a crash, only for a retry: the first of each would come long after the rollout.
            "-hexists -rpush": ("hexists", "rpush"),
            "-info": ("info",),
            "resetkeys ~arq:queue* ~arq:[^c]*": ("arq:clock", "arq:crashes"),
        }
        for without, names in missing.items():
            rules = ("reset", "on", f">{PASSWORD}", *RULES.split(), *without.split())
            await stand.redis.execute_command("ACL", "SETUSER", "limited", *rules)
            line = await _refusal(stand, REDIS_URL=url)
            assert all(name in line for name in names), line
        rules = ("reset", "on", f">{PASSWORD}", *RULES.split())
        await stand.redis.execute_command("ACL", "SETUSER", "limited", *rules)
        await _still_works(stand, await stand.worker(REDIS_URL=url))


async def test_row_37_keys_of_another_type_are_refused_by_name(open_readable_stand: OpenStand) -> None:
    async with open_readable_stand() as stand:
        for key, expected in KEYS.items():
            await _put_foreign(stand, key, expected)
        line = await _refusal(stand)
        for key, expected in KEYS.items():
            found = "list" if expected == "string" else "string"
            assert f"the key {key} in Redis holds {found}, not {expected}" in line
        await stand.redis.delete(*KEYS)
        await _still_works(stand, await stand.worker())


# ---- while it runs ------------------------------------------------------------------------------------


async def _put_foreign(stand: Stand, key: str, expected: str) -> None:
    await stand.redis.delete(key)
    await (stand.redis.lpush(key, "foreign") if expected == "string" else stand.redis.set(key, "foreign"))


async def _meets_foreign_keys(open_readable_stand: OpenStand, names: Sequence[str]) -> None:
    async with open_readable_stand() as stand:
        worker = await stand.worker()
        for key in names:
            await _put_foreign(stand, key, KEYS[key])
            found = "list" if KEYS[key] == "string" else "string"
            finding = f"the key {key} in Redis holds {found}, not {KEYS[key]}"
            await expect_not_ready(stand, finding)
            await stand.until(partial(_is_logged, worker, f"reason='{finding}'"))
            await stand.redis.delete(key)
            await _until_ready(stand, worker)
            # Once, however often the worker met it.
            assert worker.log.count(finding) == 1
        await _still_works(stand, worker)


async def test_row_37_a_key_of_another_type_appears(open_readable_stand: OpenStand) -> None:
    await _meets_foreign_keys(open_readable_stand, QUICK_KEYS)
    assert set(QUICK_KEYS) < set(KEYS)


@pytest.mark.long
async def test_row_37_any_key_of_another_type_appears(open_readable_stand: OpenStand) -> None:
    # A worker that is ready writes the key of `arq --check` every second, whatever it holds.
    names = [key for key in KEYS if not key.endswith(keys.HEALTH_CHECK_SUFFIX)]
    await _meets_foreign_keys(open_readable_stand, names)
    assert len(names) == len(KEYS) - len(QUEUES)


@pytest.mark.long
async def test_row_37_completions_are_not_stored(open_readable_stand: OpenStand) -> None:
    """Claims succeed and heartbeats are written, but each call that stores completions is cut off."""
    finish = hashlib.sha1(script_source("finish").encode(), usedforsecurity=False).hexdigest()
    async with open_readable_stand() as stand, Proxy("127.0.0.1", stand.redis_server.port) as proxy:
        # For the checks too: `check --live` looks for the workers of the Redis that it is given.
        stand.environment["REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"
        worker = await stand.worker()
        cut = True

        async def cut_off() -> None:
            if cut:
                raise ConnectionResetError

        proxy.on(finish.encode(), cut_off, times=1_000_000)
        await stand.load(amended=0).put_many("ingest", 10)
        await expect_not_ready(stand, "completions have waited", seconds=15)
        cut = False
        await _still_works(stand, worker)
        assert "action=redis_lost" in worker.log


@pytest.mark.long
async def test_row_37_redis_is_full(open_readable_stand: OpenStand) -> None:
    async with open_readable_stand() as stand:
        worker = await stand.worker(FAULTY)
        await put_faulty(stand, "slow", 1.0, count=10)
        await wait_for_runs(stand, 10)
        async with memory_full(stand.redis):
            # A heartbeat is a write, so the last one grows old.
            await expect_not_ready(stand, "no worker is ready", "no heartbeat for", seconds=10)
            assert "code=OOM" in worker.log
        await _still_works(stand, worker)


@pytest.mark.long
async def test_row_37_due_jobs_wait_beside_free_slots(open_readable_stand: OpenStand) -> None:
    """A job that may have killed two workers runs alone, and does not end."""
    async with open_readable_stand() as stand:
        (suspect,) = await put_faulty(stand, "held")
        await stand.redis.hset(keys.CRASHES, suspect, 2)
        worker = await stand.start(FAULTY)
        await wait_for_runs(stand, 1)
        await put_faulty(stand, "slow", 0, count=5)
        await expect_not_ready(stand, "no jobs are claimed although slots are free", seconds=15)
        await open_gate(stand)
        await _still_works(stand, worker)


@pytest.mark.long
async def test_row_37_all_slots_hold_jobs_that_do_not_end(open_readable_stand: OpenStand) -> None:
    async with open_readable_stand(WORKER_MAX_JOBS="2") as stand:
        worker = await stand.worker(ENDLESS)
        await put_faulty(stand, "held", count=7)
        await wait_for_runs(stand, 2)
        await expect_not_ready(stand, "all slots are held by jobs that do not end", seconds=15)
        assert worker.log.count("action=not_ready") == 1
        await open_gate(stand)
        await _until_ready(stand, worker)
        assert (await stand.balance()).applied == 7


@pytest.mark.long
async def test_row_37_an_outage_restarts_no_worker(open_readable_stand: OpenStand) -> None:
    async with open_readable_stand() as stand:
        worker = await stand.worker()
        await stand.mongo_server.kill()
        await stand.load(amended=0).put_many("ingest", 10)
        await expect_not_ready(stand, "MongoDB is unavailable", seconds=15)
        await stand.redis_server.kill()
        await expect_not_ready(stand, "does not answer")
        await stand.redis_server.start()
        await stand.mongo_server.start()
        await _still_works(stand, worker)


@pytest.mark.long
async def test_row_37_a_worker_that_hangs_is_not_live(open_readable_stand: OpenStand) -> None:
    async with open_readable_stand(WORKER_JOB_TIMEOUT="1") as stand:
        worker = await stand.worker()
        worker.send(signal.SIGSTOP)
        stand.row.faults += 1

        async def shown() -> bool:
            live = await _live(stand)
            return live.code == 1 and f":{worker.pid}:" in live.err and "its event loop has not run" in live.err

        # A job may run for 1 s, and half a minute is left for the worker to say itself why it hangs.
        await stand.until(shown, 45)
        await sigkill(worker)
        live = await _live(stand)
        assert (live.code, "no worker process" in live.err) == (1, True)
        await _still_works(stand, await stand.worker())
