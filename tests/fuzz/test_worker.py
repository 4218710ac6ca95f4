"""Row 27: running workers get any job that a client can write to Redis, and every job is accounted for."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.acceptance.conftest import Site, WorkerRun
from tests.fuzz.conftest import Registry
from tests.fuzz.envelopes import SECRET, Envelopes
from tests.fuzz.ledger import Ledger
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys

_log = logging.getLogger(__name__)

SIGNING_KEY = ("fuzz", "secret-of-the-fuzzer")
# Never due: the worker must leave these jobs on the queue, and must not be kept busy by them.
NEVER_DUE = {"never:1": math.inf, "never:2": 1.7e308}


def memory_mb(pid: int) -> int:
    """Return the resident memory of a process."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) // 1024


def assert_log_is_clean(log: Path) -> None:
    """Check each line for payloads and forged lines; read line by line, because a long run's log is large."""
    with log.open(errors="replace", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            assert SECRET not in line.casefold(), f"line {number} contains a payload"
            assert not line.startswith(("INFO", "Traceback")), f"line {number} is forged or part of a traceback"


async def fuzz(site: Site, registry: Registry, workers: Sequence[WorkerRun], jobs: Envelopes, count: int) -> Ledger:
    """Run the jobs through the workers, and check what must hold for any jobs."""
    registry.add_victims()
    before = registry.bytes_of_victims()
    assert len(before) == len(registry.victims)
    await site.redis.zadd(DEFAULT_QUEUE, NEVER_DUE)
    ledger = Ledger(site.redis, untouched=len(NEVER_DUE))
    started, reported = time.monotonic(), 0

    async def watch(settled: int) -> None:
        nonlocal reported
        for worker in workers:
            # Fails immediately if the process has ended.
            await site.until(lambda: site.is_ready(worker), 30)  # noqa: B023 (awaited right here)
        if settled - reported >= count / 20 or settled == count:
            reported = settled
            used = (await site.redis.info("memory"))["used_memory"] >> 20
            rate = settled / (time.monotonic() - started)
            memory = [memory_mb(worker.pid) for worker in workers]
            _log.info("%d jobs, %.0f/s; MB: workers %s, Redis %d", settled, rate, memory, used)

    await ledger.run(jobs.take(count), watch)

    assert ledger.tally.total == count
    await ledger.assert_nothing_is_left()
    assert set(await site.redis.zrange(DEFAULT_QUEUE, 0, -1)) == {name.encode() for name in NEVER_DUE}
    assert await site.redis.hlen(keys.WORKERS) == len(workers)
    assert registry.bytes_of_victims() == before
    assert registry.count() == len(before) + ledger.tally.created
    assert not (site.folder / "unpickled").exists()
    for number in range(len(workers)):
        assert_log_is_clean(site.folder / f"worker-{number}.log")
    return ledger


@pytest.mark.timeout(3_600)
async def test_row_27_every_fuzzed_job_is_accounted_for(
    site: Site, registry: Registry, envelopes: int, fuzz_seed: int, record_property: Callable[[str, object], None]
) -> None:
    record_property("envelopes", envelopes)
    workers = [await site.worker(QUEUE_SIGNING_KEYS=":".join(SIGNING_KEY)) for _ in range(2)]
    jobs = Envelopes(fuzz_seed, signing_key=SIGNING_KEY, marker=site.folder / "unpickled", victims=registry.victims)

    ledger = await fuzz(site, registry, workers, jobs, envelopes)

    assert ledger.tally.done["valid"] > envelopes / 30
    # The run is meaningful only if jobs passed the signature check and reached all later checks.
    assert ledger.tally.dead.keys() >= {"untrusted", "operator", "pickle", "type", "no payload", "depth 1,000"}


async def test_row_27_without_signatures(site: Site, registry: Registry, fuzz_seed: int) -> None:
    workers = [await site.worker(LOG_FORMAT="json")]
    jobs = Envelopes(fuzz_seed + 1, marker=site.folder / "unpickled", victims=registry.victims)

    ledger = await fuzz(site, registry, workers, jobs, 5_000)

    assert ledger.tally.done["valid"] > 100
