"""The steps of the demonstration, on private servers and workers."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from arq.connections import ArqRedis
from rich.console import Console
from rich.markup import escape as markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from producers.client import HospitalProducer
from producers.files import FileWishes, HospitalFile
from producers.files.import_files import write_import_files
from producers.generator import write_rows
from producers.imports import FileImport, ImportResult, ImportStalled, report_entries
from producers.receipts import Receipt
from worker.codec import Codec
from worker.contract import MAX_CHUNK_RECORDS, QUEUES, HospitalRecord, RegistrationOutcome
from worker.contract.identity import hospital_identity
from worker.contract.imports import ReportEntry
from worker.demo.processes import WorkerProcess
from worker.demo.recount import distinct_hospitals
from worker.demo.report import DemoReport, Percentiles
from worker.embedded import EmbeddedServers
from worker.errors import RegistryError
from worker.escaping import escape
from worker.mongo.audit.verification import verify_chain
from worker.mongo.client import MongoHandle, open_mongo
from worker.queue import keys
from worker.queue.job_state import look_up
from worker.queue.scripts import Scripts
from worker.redis.client import open_redis
from worker.settings import Settings, load_settings

GENERATED_ROWS = 20_000
GENERATED_SEED = 2025
_REGISTRATIONS = 100
_TWICE = 10
_READY_S = 30.0
_OUTCOME_S = 60.0
# The surviving worker takes over the killed worker's jobs after this lease. It is shorter than in production,
# because the whole demonstration is short.
_LEASE_S = 4


Show = Callable[[DemoReport, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stage:
    """Shared by all steps of one run."""

    console: Console
    folder: Path
    settings: Settings
    redis: ArqRedis
    mongo: MongoHandle
    producer: HospitalProducer


async def run_demo(
    console: Console, folder: Path, data: Path | None, file: Path | None, wishes: FileWishes, show: Show
) -> DemoReport:
    """Run the demonstration and return its results.

    `folder` receives the logs and rejects. `data` keeps the servers' data for a later run (None: discarded). `file`
    is imported (None: a generated file) as `wishes` say. `show` gets the results and the servers' environment; they
    run until it returns. Raises `FileError` for a file that cannot be imported, and `RegistryError` if a server or
    worker does not start.
    """
    started = time.monotonic()
    if file is None:
        file = folder / "hospitals.csv"
        write_rows(file, "csv", GENERATED_ROWS, GENERATED_SEED)
        console.print(f"Generated {GENERATED_ROWS:,} messy rows (seed {GENERATED_SEED}) in {file}")
    hospitals = _open(file, wishes)
    for note in hospitals.notes:
        console.print(f"[dim]{markup(escape(note))}[/dim]")
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(EmbeddedServers(data_dir=data))
        console.print(
            f"Started Redis (pid {servers.redis.pid}) and a MongoDB replica set (pid {servers.mongo.pid})"
        )
        environment = {**servers.environment(), "WORKER_LEASE": str(_LEASE_S), "REDIS_TIMEOUT": "2"}
        settings = load_settings(
            redis_url=servers.redis.url, mongodb_url=servers.mongo.url, worker_lease=_LEASE_S, redis_timeout=2
        )
        redis = open_redis(settings)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        workers = [WorkerProcess(f"worker-{number}", environment, folder) for number in (1, 2)]
        for worker in workers:
            await worker.start()
            stack.push_async_callback(worker.stop)
        for worker in workers:
            await worker.wait_ready(redis, _READY_S)
            console.print(f"Started {worker.name} (pid {worker.pid}): arq worker.main.WorkerSettings")
        mongo = open_mongo(settings)
        stack.push_async_callback(mongo.close)
        producer = await stack.enter_async_context(HospitalProducer.connect(settings))
        stage = Stage(console, folder, settings, redis, mongo, producer)
        before = await mongo.hospitals.count_documents({})
        imported = await _import(stage, hospitals, workers, before)
        receipts, outcomes = await _register(stage, hospitals)
        report = await _report(stage, imported, receipts, outcomes, started)
        await show(report, environment)
        return report


def _open(file: Path, wishes: FileWishes) -> HospitalFile:
    hospitals = HospitalFile.open(file, wishes)
    if wishes.columns.source is None and hospitals.columns.unused_identifier is not None:
        # The file has an identifier column, which is used only together with a source.
        first_word = re.match(r"[a-z0-9]+", file.name.lower())
        columns = replace(wishes.columns, source=first_word.group() if first_word else "demo")
        return HospitalFile.open(file, replace(wishes, columns=columns))
    return hospitals


@dataclass(frozen=True, slots=True)
class _Imported:
    """The import of the file, and what was stored right after it.

    `hospitals` are in the file by an independent count, `found` are in it by the import's reader, `stored` those of
    them that were in the database, and `created` the documents that the import has added.
    """

    result: ImportResult
    hospitals: int
    found: int
    stored: int
    created: int
    seconds: float
    killed: str


async def _import(stage: Stage, hospitals: HospitalFile, workers: list[WorkerProcess], before: int) -> _Imported:
    done = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stage.console, disable=not stage.console.is_terminal) as progress:
        bar = progress.add_task("importing lines of the file", total=hospitals.lines)

        def on_progress(line: int) -> None:
            nonlocal done
            done = line
            progress.update(bar, completed=line)

        crash = asyncio.create_task(_crash_half_way(stage, workers, lambda: done, hospitals.lines))
        run = FileImport(
            stage.producer,
            hospitals,
            on_existing="keep",
            started_by="demo",
            wait_s=_OUTCOME_S,
            on_progress=on_progress,
        )
        started = time.monotonic()
        try:
            result = await run.run()
        except ImportStalled as error:
            stage.console.print(f"[red]{markup(escape(str(error)))}[/red]")
            unfinished = await run.result()
            if unfinished is None:
                raise RegistryError(str(error)) from None
            result = unfinished
        finally:
            crash.cancel()
            (killed,) = await asyncio.gather(crash, return_exceptions=True)
        seconds = time.monotonic() - started
    if not isinstance(killed, str):
        killed = "no worker was killed: the import finished too early"
    stage.console.print(f"[bold]{killed}[/bold]")
    rejected: set[int] = set()
    entries = _noting_rejected(report_entries(stage.producer, result.found.import_id, _OUTCOME_S), rejected)
    await write_import_files(hospitals, entries, stage.folder / "import")
    identities = {
        hospital_identity(row.known)
        for row in hospitals.rows()
        if row.known is not None and row.line not in rejected
    }
    return _Imported(
        result=result,
        hospitals=distinct_hospitals(hospitals, rejected),
        found=len(identities),
        stored=await _stored(stage, identities),
        created=await stage.mongo.hospitals.count_documents({}) - before,
        seconds=seconds,
        killed=killed,
    )


async def _noting_rejected(entries: AsyncIterator[ReportEntry], lines: set[int]) -> AsyncIterator[ReportEntry]:
    """Yield the entries, and add the lines of rejected rows to `lines`."""
    async for entry in entries:
        if entry.status == "rejected":
            lines.add(entry.line)
        yield entry


async def _stored(stage: Stage, identities: Iterable[str]) -> int:
    """Return how many of these hospitals are in the database."""
    ordered = iter(identities)
    stored = 0
    while group := list(islice(ordered, MAX_CHUNK_RECORDS)):
        stored += await stage.mongo.hospitals.count_documents({"_id": {"$in": group}})
    return stored


async def _crash_half_way(
    stage: Stage, workers: list[WorkerProcess], lines_done: Callable[[], int], lines: int
) -> str:
    """Send SIGKILL to the worker with the most running chunks once half of the file is done or running."""
    while True:
        tokens = await stage.redis.hvals(keys.LEASES)
        if tokens and (lines_done() + len(tokens) * MAX_CHUNK_RECORDS) * 2 >= lines:
            held = Counter(int(token.split(b":")[1]) for token in tokens)
            pid, chunks = held.most_common(1)[0]
            victim = next(worker for worker in workers if worker.pid == pid)
            await victim.kill()
            return f"{victim.name} (pid {pid}) was killed (SIGKILL) with {chunks} chunk{'s' * (chunks > 1)} running"
        await asyncio.sleep(0.002)


async def _register(
    stage: Stage, hospitals: HospitalFile
) -> tuple[list[Receipt[RegistrationOutcome]], list[RegistrationOutcome]]:
    distinct: dict[str, HospitalRecord] = {}
    records = (row.record for row in hospitals.rows() if row.record is not None)
    for record in records:
        distinct.setdefault(record.hospital_id, record)
        if len(distinct) == _REGISTRATIONS:
            break
    chosen = list(distinct.values())
    twice = list(islice(chosen, _TWICE))
    receipts = await asyncio.gather(
        *(
            stage.producer.register_hospital(record, actor="demo", reason="shown in the demonstration")
            for record in (*twice, *chosen)
        )
    )
    outcomes = await asyncio.gather(*(receipt.outcome(_OUTCOME_S) for receipt in receipts))
    stage.console.print(f"Registered {len(chosen)} hospitals, {len(twice)} of them twice concurrently")
    return list(receipts), list(outcomes)


async def _report(
    stage: Stage,
    imported: _Imported,
    receipts: list[Receipt[RegistrationOutcome]],
    outcomes: list[RegistrationOutcome],
    started: float,
) -> DemoReport:
    views = [await look_up(stage.redis, Codec(), receipt.job_id) for receipt in receipts]
    results = [view.result for view in views if view.result is not None]
    counts = await Scripts(stage.redis).counts(QUEUES)
    chain = await verify_chain(stage.mongo)
    registered = [outcome for outcome in outcomes if outcome.status == "registered"]
    documents = await stage.mongo.hospitals.count_documents(
        {"_id": {"$in": [outcome.hospital_id for outcome in registered]}, "status": "registered"}
    )
    rows, result = imported.result.rows, imported.result
    # Every reported outcome must be stored: a document for each created hospital, the status for each registration.
    missing = abs(rows["created"] - imported.created) + len(registered) - documents
    hospitals_missing = max(0, imported.hospitals - imported.stored)
    return DemoReport(
        rows=result.found.file.rows,
        hospitals=imported.hospitals,
        found=imported.found,
        created=rows["created"],
        merged=rows["merged"] + rows["replaced"],
        unchanged=rows["same"] + rows["kept"] + rows["newer_stored"] + rows["registered"],
        same=rows["same"],
        kept=rows["kept"] + rows["newer_stored"] + rows["registered"],
        not_applied=rows["collision"] + rows["conflict"],
        rejected=rows["rejected"],
        left_out=sum(result.left_out.values()),
        registered=len(registered),
        conflicts=sum(outcome.status == "conflict" for outcome in outcomes),
        lost=max(missing, hospitals_missing) + result.unaccounted,
        audit_ok=chain.ok,
        records_per_s=round(result.found.file.rows / imported.seconds, 1),
        seconds=round(time.monotonic() - started, 1),
        dead=counts.dead,
        log_entries=chain.entries,
        pickup_ms=Percentiles.of([timed["st"] - timed["et"] for timed in results]),
        run_ms=Percentiles.of([timed["ft"] - timed["st"] for timed in results]),
        killed=imported.killed,
    )
