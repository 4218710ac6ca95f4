"""The soak: a seeded mix of faults against workers, Redis and a three-member set, under load, for some minutes.

One worker is never killed, so that its memory can be watched; all other faults happen to it too.
"""

import math
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.conftest import WorkerRun
from tests.faults.fault_injector import FaultInjector
from tests.faults.fleet import GRACE_S, Fleet
from tests.faults.injectors.moving_name import MovingName, direct
from tests.faults.load import Load
from tests.faults.rows import Row
from tests.faults.stand import Stand, open_stand_on_a_name
from worker.embedded import EmbeddedRedis

_WORKERS = 3
_PER_SECOND = 60
_BURST = 1_000
# Objects of failed commands are collected late, so memory grows over many outages before it levels off. A fraction
# of the soak's time, and a minimum in seconds.
_WARM_UP, _MIN_WARM_UP_S = 0.25, 60
_SETTLED_WITHIN_S = 120
# Allowed growth of a worker's memory and of the connections to both stores.
_ALLOWED_GROWTH = 1.05
_SPARE_CONNECTIONS = 4


async def soak(folder: Path, row: Row, minutes: float, report: Callable[[str], None]) -> None:
    """Inject faults for `minutes`, undo them all, and balance the ledger into `row`.

    Raises `AssertionError` if anything was lost or doubled, there is a dead letter that no job deserved, the spared
    worker ended, or its memory or the connections have grown by more than 5 %. `report` gets a line of progress
    every minute. `row.seed` decides the faults and their order; what they hit depends on the machine.
    """
    async with open_stand_on_a_name(
        folder, row, members=3, WORKER_GRACE_PERIOD=str(GRACE_S), MONGODB_POOL_SIZE="20"
    ) as (stand, name):
        spared = await stand.worker()
        fleet = Fleet(stand, spared, [await stand.worker() for _ in range(_WORKERS - 1)])
        injector = FaultInjector(stand, name, fleet)
        async with stand.load(per_second=_PER_SECOND) as load:
            await injector.inject(max(60 * minutes * _WARM_UP, _MIN_WARM_UP_S))
            await injector.heal()
            await _fill_the_pools(stand, load)
            before = await _resources(stand, name, spared)
            for minute in range(math.ceil(minutes)):
                await injector.inject(60 * min(1, minutes - minute))
                row.faults = injector.injected.total()
                progress = f"{row.faults} faults, {len(stand.ledger.accepted):,} jobs accepted"
                report(
                    f"minute {minute + 1}: {progress}, the spared worker has {_resident_kb(spared.pid) >> 10} MB"
                )
            await injector.heal()
            await _fill_the_pools(stand, load)
            after = await _resources(stand, name, spared)
        dead_letters = await _judge_dead_letters(stand, injector, fleet)
        account = await stand.balance(_SETTLED_WITHIN_S)
        assert account.dead == 0
        stand.pause_s(account, load.began, load.ended)
        row.notes |= {
            "injected": dict(injector.injected),
            "kills": injector.kills,
            "processes that a job held, and that ended by themselves": fleet.stuck,
            "longest exit after SIGTERM, s": round(fleet.longest_stop_s, 1),
            "dead letters": dead_letters,
            "before": before,
            "after": after,
        }
        row.notes["calls answered with an error"] = load.refused
        assert spared.process.returncode is None
        # What else the machine does may hold a server up for a moment.
        await stand.until(lambda: stand.is_ready(spared), _SETTLED_WITHIN_S)
        _check_growth(before, after)


async def _judge_dead_letters(stand: Stand, injector: FaultInjector, fleet: Fleet) -> dict[str, int]:
    """Check that each dead letter was deserved; return how many there are of each kind.

    A job whose workers were killed three times, although it did no harm, is retried, as an operator would do. Its
    worker may have died after its effect, so the ledger still requires exactly one effect of it.
    """
    await stand.ledger.settle(_SETTLED_WITHIN_S)
    found = {dead_letter.job_id: dead_letter async for dead_letter in stand.dead_letters.all()}
    garbage = found.keys() & injector.garbage
    spinning = found.keys() & set(fleet.spinning)
    assert len(spinning) == len(fleet.spinning)
    others = [found[job_id] for job_id in found.keys() - garbage - spinning]
    undeserved = [dead_letter for dead_letter in others if not fleet.killed_three_owners_of(dead_letter)]
    assert not undeserved, [dead_letter.summary() for dead_letter in undeserved]
    assert await stand.dead_letters.retry(others) == len(others)
    return {"garbage": len(garbage), "spinning": len(spinning), "killed three times, and retried": len(others)}


async def _fill_the_pools(stand: Stand, load: Load) -> None:
    """Give every worker more concurrent jobs than its pools hold.

    Pools must have reached their limits before they are measured: a fault may have emptied a pool a moment ago, and
    under the steady load alone it would stay small.
    """
    await load.put_many("ingest", _BURST)
    await stand.effects_grow_by(5 * _PER_SECOND, _SETTLED_WITHIN_S)


async def _resources(stand: Stand, name: MovingName, worker: WorkerRun) -> dict[str, int]:
    primary = await stand.mongo_server.primary()
    connections = (await primary.command("serverStatus"))["connections"]
    return {
        "worker_rss_kb": _resident_kb(worker.pid),
        # Connections that stay at an old primary would be a leak too.
        "redis_connections": await _connections(name.primary) + await _connections(name.replica),
        "mongodb_connections": int(connections["current"]),
    }


async def _connections(server: EmbeddedRedis) -> int:
    async with direct(server) as redis:
        return int((await redis.info("clients"))["connected_clients"])


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/{pid}/status has no VmRSS")


def _check_growth(before: dict[str, int], after: dict[str, int]) -> None:
    for name, first in before.items():
        spare = 0 if name == "worker_rss_kb" else _SPARE_CONNECTIONS
        assert after[name] <= first * _ALLOWED_GROWTH + spare, f"{name}: {first} before, {after[name]} after"
