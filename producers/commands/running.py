"""Runs the import of one file from the command line, writes its report, and shows what became of every row."""

import asyncio
import getpass
import os
import shlex
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from producers.commands import support
from producers.commands.support import DONE, INTERRUPTED, NOTHING, PARTLY, refused, show
from producers.console import print_error, print_note, progress_bar
from producers.ctrl_c import CtrlC
from producers.files import FileError, HospitalFile
from producers.files.detection.compression import archive_of
from producers.files.import_files import ImportFiles, write_import_files
from producers.files.spooling import shown_path, spooled_part
from producers.files.table import REASON_COLUMN
from worker.contract import OnExisting, RecordStatus
from worker.contract.imports import Import
from worker.errors import RegistryError

if TYPE_CHECKING:
    from producers.client import HospitalProducer
    from producers.imports import FileImport, ImportResult

APPLIED: tuple[RecordStatus, ...] = ("created", "merged", "replaced", "same")
"""The fates of rows that are stored as the file has them."""
_PATIENCE_AFTERWARDS_S = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How an import is run and shown. `report` is the folder for what it leaves; None: that of the file.

    `one_of_several`: other files are imported by the same command.
    """

    report: Path | None
    report_csv: bool
    wait: float
    as_json: bool
    one_of_several: bool = False


@dataclass(slots=True)
class _Run:
    """What is known of a run, also if it was interrupted."""

    started: float
    loading: "FileImport | None" = None
    result: "ImportResult | None" = None
    failed_jobs: tuple[str, ...] = ()
    files: ImportFiles | None = None
    trouble: str | None = None
    notes: list[str] = field(default_factory=list)


def run_import(
    file: HospitalFile, options: RunOptions, *, on_existing: OnExisting, begun: Import | None = None
) -> int:
    """Import a file, or continue the import `begun`, and show the result. Returns the exit code."""
    folder = report_folder(file, options.report)
    run = _Run(time.monotonic())

    async def load() -> None:
        # Without the modules of Redis, commands that need no queue start in half the time.
        from producers.identities import check_identities  # noqa: PLC0415
        from producers.imports import FileImport, report_entries  # noqa: PLC0415

        async with support.connect() as producer:
            if begun is None:
                for note in await check_identities(producer, file, on_existing=on_existing, wait_s=options.wait):
                    run.notes.append(note)
                    print_note(note)
            with progress_bar(file.lines) as on_progress:
                run.loading = FileImport(
                    producer,
                    file,
                    on_existing=on_existing,
                    started_by=_user(),
                    wait_s=options.wait,
                    on_progress=on_progress,
                    begun=begun,
                )
                run.result = await run.loading.run()
            run.trouble = run.loading.change
            run.failed_jobs = await _failed_jobs(producer, run.result)
            import_id = run.result.found.import_id
            entries = report_entries(producer, import_id, options.wait)
            run.files = await write_import_files(file, entries, folder / import_id, as_csv=options.report_csv)

    # Until all has been said, so that a second Ctrl-C does not hide what to do next.
    with CtrlC() as ctrl_c:
        try:
            ctrl_c.run(load())
        except KeyboardInterrupt:
            # `pressed` says so, also if it is pressed after this.
            pass
        except RegistryError as error:
            run.trouble = str(error)
        if run.result is None and run.loading is not None and run.loading.found is not None:
            run.result = _afterwards(run.loading.found)
        return _show_result(file, run, options, interrupted=ctrl_c.pressed)


def report_folder(file: HospitalFile, given: Path | None) -> Path:
    """Return the folder in which that of an import is made. Raises `FileError` if nothing can be written there."""
    archive, _ = archive_of(file.path)
    folder = given or archive.parent
    if given is None and spooled_part(file.path) is not None:
        folder = Path.cwd()
    existing = next((it for it in (folder, *folder.absolute().parents) if it.exists()), folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        # Said now, not when the file has been imported.
        raise FileError(folder, "the report of an import cannot be written here; name another folder with --report")
    return folder


def _user() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        # In a container the user may have no name.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"[:200]


async def _failed_jobs(producer: "HospitalProducer", result: "ImportResult") -> tuple[str, ...]:
    if result.progress.complete == result.progress.total:
        return ()
    jobs = producer.batch(result.found.import_id).jobs()
    return tuple([job.job_id async for job in jobs if job.outcome != "complete"])


def _afterwards(found: Import) -> "ImportResult | None":
    """Return how far an import is that was interrupted, if Redis says so within a few seconds."""

    async def ask() -> "ImportResult":
        from producers.imports import ImportResult  # noqa: PLC0415  # as in `run_import`

        async with (
            asyncio.timeout(_PATIENCE_AFTERWARDS_S),
            support.connect(_PATIENCE_AFTERWARDS_S) as producer,
        ):
            return ImportResult(found, await producer.batch(found.import_id).progress())

    try:
        return asyncio.run(ask())
    except (TimeoutError, RegistryError):
        return None


def _show_result(file: HospitalFile, run: _Run, options: RunOptions, *, interrupted: bool) -> int:
    found = run.loading.found if run.loading is not None else None
    if run.result is not None:
        _show_table(file, run, options, interrupted=interrupted)
    if found is None:
        if interrupted:
            print_error("interrupted before any row was sent")
            return INTERRUPTED
        several = options.one_of_several
        return refused(
            file.path, run.trouble or "nothing was sent", as_json=options.as_json, one_of_several=several
        )
    next_step = ""
    if run.result is None or not run.result.progress.has_ended:
        next_step = f"; continue with: hospital-producer imports resume {_named(found, file, options)}"
    elif run.files is None:
        next_step = f"; write its report with: hospital-producer imports report {_named(found, file, options)}"
    if run.trouble is not None:
        print_error(run.trouble + next_step)
    elif interrupted:
        print_error(f"interrupted{next_step}")
    if run.failed_jobs:
        print_error(
            f"{len(run.failed_jobs)} jobs of the import failed or were dropped, the first is {run.failed_jobs[0]}; "
            "see hospital-worker dead list"
        )
    return INTERRUPTED if interrupted else _code(file, run)


def _named(found: Import, file: HospitalFile, options: RunOptions) -> str:
    """Return what names an import and where its report goes, on the command line."""
    report = "" if options.report is None else f" --report {shlex.quote(str(options.report))}"
    named = found.import_id + report + " --report-csv" * options.report_csv
    # The copy of standard input is gone.
    return named if spooled_part(file.path) is None else f"{named} FILE, a file of the same content"


def _code(file: HospitalFile, run: _Run) -> int:
    if run.result is None:
        return PARTLY
    applied = sum(run.result.rows[status] for status in APPLIED)
    if run.trouble is None and applied == run.result.found.file.rows:
        # A list that goes on in other sheets, or lists of the file, is not loaded as a whole.
        return PARTLY if file.unread else DONE
    # Of an import that has not ended, jobs may be in the queue.
    return NOTHING if not applied and run.result.progress.has_ended else PARTLY


def _show_table(file: HospitalFile, run: _Run, options: RunOptions, *, interrupted: bool) -> None:
    result, as_json = run.result, options.as_json
    if result is None:
        return
    seconds = time.monotonic() - run.started
    rows: dict[str, object] = {
        status: count for status, count in result.rows.items() if as_json or count or status == "created"
    }
    facts: dict[str, object] = {
        "file": shown_path(file.path),
        "import": result.found.import_id,
        "state": result.found.state if result.progress.has_ended else "running",
        "resumed": run.loading is not None and run.loading.resumed,
        "rows": result.found.file.rows,
        **rows,
        "unaccounted": result.unaccounted,
        "left_out": result.left_out,
        "columns": {it.field: list(it.columns) for it in file.columns.mapped},
        "columns_left_out": list(file.columns.left_out),
        "failed_jobs": list(run.failed_jobs),
        "report": str(run.files.report) if run.files and run.files.report else None,
        "rejects": str(run.files.rejects) if run.files and run.files.rejects else None,
        "notes": [*file.notes, *run.notes],
        "seconds": round(seconds, 3),
        "rows_per_s": round(result.found.file.rows / seconds, 1),
        "trouble": run.trouble,
    }
    if not as_json:
        left_out = facts.pop("left_out")
        for name in ("file", "columns", "notes", "trouble", *(() if facts["unaccounted"] else ("unaccounted",))):
            del facts[name]
        if not facts["resumed"]:
            del facts["resumed"]
        if isinstance(left_out, dict) and left_out:
            facts["cells left out"] = [f"{field} {count:,}" for field, count in left_out.items()]
        for note in file.notes:
            print_note(note)
        if result.found.on_existing != "keep" and REASON_COLUMN in file.statistics:
            print_note("rows that were in collision are loaded with --on-existing keep")
    title = f"Imported {shown_path(file.path)}{', interrupted' * interrupted}"
    show(title, facts, as_json=as_json, one_of_several=options.one_of_several)
    if (collisions := result.rows["collision"]) and not as_json:
        why, advice = file.advice_on_collisions
        path = shlex.quote(str(run.files.rejects)) if run.files and run.files.rejects else "REJECTS"
        print_note(
            f"rows in collision: {collisions:,}; {why}; if they are other hospitals: "
            f"hospital-producer ingest {path} {advice}"
        )
