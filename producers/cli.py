"""The command `hospital-producer`: load files, register hospitals, show jobs, make sample files.

The exit code is 0 if everything succeeded, 1 if only a part did, 2 if nothing was done, 130 on Ctrl-C.
"""

import asyncio
import gc
import secrets
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from producers.console import print_error, progress_bar, show_facts, show_json, show_rejects
from producers.files import FileError, FileFormat, HospitalFile, RejectWriter, rejects_path
from producers.generator import expected_truth, write_rows
from producers.ingesting import IngestLoad, check_file
from producers.loading import FileLoad, ProgressCallback
from producers.registering import RegistrationLoad, record_from_text, registration
from worker.contract import REGISTER_HOSPITAL, OnExisting, RegisterHospital, RegistrationOutcome, new_job_id
from worker.errors import OutageError, RegistryError, RemoteError, WritesRefused

if TYPE_CHECKING:
    from producers.client import HospitalProducer
    from producers.receipts import JobStatus

DONE, PARTLY, NOTHING, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Enqueue jobs for the hospital registry, and show their outcomes.",
)

SourceOption = Annotated[
    str | None, typer.Option(help="source of the list, such as cms; enables the list's own identifiers")
]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="read FIELD from COLUMN; repeatable")
]
EncodingOption = Annotated[str | None, typer.Option(help="such as utf-8 or cp1252; default: detected")]
FormatOption = Annotated[FileFormat | None, typer.Option("--format", help="default: detected from the content")]
RejectsOption = Annotated[
    Path | None, typer.Option("--rejects", help="file for rejected rows; default: FILE.rejects.ndjson")
]
WaitOption = Annotated[float, typer.Option(min=0.1, help="seconds to wait for the outcome of one job")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the result as JSON")]


def connect() -> "HospitalProducer":
    """Return a producer for the servers that the environment configures."""
    # Without the modules of Redis and arq, commands that need no queue start in half the time.
    from producers.client import HospitalProducer  # noqa: PLC0415

    return HospitalProducer.connect()


def main() -> None:
    """Run the command line: the console entry point. A known error is printed as one line on standard error."""
    # A load creates many short-lived rows. With Python's default thresholds, garbage collection would take a sixth
    # of a load's time.
    gc.set_threshold(50_000, 20, 50)
    try:
        status = app(standalone_mode=False)
    except TyperException as error:
        print_error(f"{error.format_message()} (try --help)")
        status = NOTHING
    except RegistryError as error:
        print_error(str(error))
        status = NOTHING
    sys.exit(status)


@app.command()
def ingest(  # noqa: PLR0913, PLR0917  # a parameter for each option
    path: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or NDJSON file, gzipped or not")],
    source: SourceOption = None,
    mapping: MapOption = None,
    on_existing: Annotated[
        OnExisting, typer.Option(help="keep a stored hospital as it is, or merge the file's values into it")
    ] = "keep",
    encoding: EncodingOption = None,
    file_format: FormatOption = None,
    rejects: RejectsOption = None,
    wait: WaitOption = 120,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="validate all rows, but send nothing")] = False,
    as_json: JsonOption = False,
) -> int:
    """Load a file of hospitals. Invalid rows are written to FILE.rejects.ndjson."""
    file = _open(path, source, mapping, encoding, file_format)
    with RejectWriter(_rejects_beside(path, rejects)) as writer:
        if not dry_run:
            return _load(
                f"Ingested {path}",
                file,
                writer,
                lambda producer, on_progress: IngestLoad(
                    producer, file, writer, on_existing=on_existing, wait=wait, on_progress=on_progress
                ),
                as_json=as_json,
            )
        with progress_bar(file.lines) as on_progress:
            checked = check_file(file, writer, on_progress)
    _show(f"Checked {path}; nothing was sent", file, asdict(checked), writer, as_json=as_json)
    if not checked.fit:
        return NOTHING
    return PARTLY if checked.rejected else DONE


@app.command()
def register(  # noqa: PLR0913, PLR0917  # a parameter for each option
    actor: Annotated[str, typer.Option(help="who registers, for the audit log")],
    reason: Annotated[str, typer.Option(help="why, for the audit log")],
    name: Annotated[str | None, typer.Option(help="the hospital's name")] = None,
    source: SourceOption = None,
    external_id: Annotated[str | None, typer.Option(help="the source's identifier of the hospital")] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="another field; repeatable")
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="register all hospitals of a file instead")
    ] = None,
    mapping: MapOption = None,
    encoding: EncodingOption = None,
    file_format: FormatOption = None,
    rejects: RejectsOption = None,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Register one hospital, or all hospitals of a file, each with an audit log entry."""
    one = name is not None or external_id is not None or bool(fields)
    if one == (path is not None):
        raise TyperException("give either --name and the fields of one hospital, or --file")
    if path is None:
        named = {"hospital_name": name, "source": source, "external_id": external_id}
        known = {field: text for field, text in named.items() if text is not None}
        payload = registration(record_from_text(known | _pairs("--set", fields)), actor=actor, reason=reason)
        return _register_one(payload, wait, as_json=as_json)
    file = _open(path, source, mapping, encoding, file_format)
    with RejectWriter(_rejects_beside(path, rejects)) as writer:
        return _load(
            f"Registered {path}",
            file,
            writer,
            lambda producer, on_progress: RegistrationLoad(
                producer, file, writer, actor=actor, reason=reason, wait=wait, on_progress=on_progress
            ),
            as_json=as_json,
        )


@app.command()
def status(job_id: Annotated[str, typer.Argument(metavar="JOB")], as_json: JsonOption = False) -> int:
    """Show the state and the outcome of a job."""

    async def ask() -> "JobStatus":
        async with connect() as producer:
            return await producer.status(job_id)

    found = asyncio.run(ask())
    facts = {key: value for key, value in asdict(found).items() if value is not None}
    _show_facts("Job", facts, as_json=as_json)
    if found.state == "unknown":
        print_error("no such job, or it ended more than WORKER_KEEP_RESULT seconds ago")
    return {"unknown": NOTHING, "failed": PARTLY, "dead": PARTLY}.get(found.state, DONE)


@app.command()
def generate(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="file to create; .ndjson or .jsonl: NDJSON, else CSV"),
    ],
    rows: Annotated[int, typer.Option(min=1, help="number of rows, including invalid ones and duplicates")] = 5_000,
    seed: Annotated[int, typer.Option(help="the same seed makes the same file")] = 1,
    force: Annotated[bool, typer.Option("--force", help="replace FILE if it exists")] = False,
    as_json: JsonOption = False,
) -> int:
    """Make a sample file of messy data, and show the counts that a load of it without --source must report."""
    if path.exists() and not force:
        raise FileError(path, "already exists; choose another name, or replace it with --force")
    if path.suffix == ".gz":
        raise FileError(path, "cannot be written compressed: leave out .gz, and run gzip on the file afterwards")
    write_rows(path, "ndjson" if path.suffix in (".ndjson", ".jsonl") else "csv", rows, seed)
    truth = asdict(expected_truth(rows, seed))
    _show_facts(f"Made {path}", truth, as_json=as_json)
    return DONE


def _open(
    path: Path,
    source: str | None,
    mapping: list[str] | None,
    encoding: str | None,
    file_format: FileFormat | None,
) -> HospitalFile:
    file = HospitalFile.open(
        path, source=source, mapping=_pairs("--map", mapping), encoding=encoding, file_format=file_format
    )
    unused = file.columns.unused_identifier
    if unused is not None:
        print_error(f"column {unused!r} is not used, so hospitals are identified by name; to use it, give --source")
    return file


def _rejects_beside(path: Path, rejects: Path | None) -> Path:
    """Return the file for rejected rows. It is never the input file, which would be emptied before it is read."""
    if rejects is not None and rejects.exists() and rejects.samefile(path):
        raise FileError(rejects, "is the input file; choose another file with --rejects")
    return rejects or rejects_path(path)


def _pairs(option: str, pairs: list[str] | None) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for pair in pairs or ():
        field, separator, value = (part.strip() for part in pair.partition("="))
        if not (field and separator and value) or field in parsed:
            raise TyperException(f"{option} takes FIELD=…, once per field, not {pair!r}")
        parsed[field] = value
    return parsed


def _load(
    title: str,
    file: HospitalFile,
    rejects: RejectWriter,
    prepare: Callable[["HospitalProducer", ProgressCallback], FileLoad[Any]],
    *,
    as_json: bool,
) -> int:
    load: FileLoad[Any] | None = None

    async def run(on_progress: ProgressCallback) -> None:
        nonlocal load
        async with connect() as producer:
            load = prepare(producer, on_progress)
            await load.run()

    interrupted = False
    with progress_bar(file.lines) as on_progress:
        try:
            asyncio.run(run(on_progress))
        except KeyboardInterrupt:
            interrupted = True
    if load is None:
        print_error("interrupted before anything was sent")
        return INTERRUPTED
    summary = load.summary()
    counts = asdict(summary)
    # The counts of this kind of load come right after the number of rows.
    own = {name: counts[name] for name in type(summary).__annotations__}
    facts = {"rows": summary.rows} | own | counts
    _show(f"{title}{', interrupted' * interrupted}", file, facts, rejects, as_json=as_json)
    if summary.trouble is not None:
        print_error(summary.trouble)
    if interrupted:
        return INTERRUPTED
    if not summary.done and not summary.pending and not load.may_be_queued:
        return NOTHING
    return DONE if summary.complete else PARTLY


def _register_one(payload: RegisterHospital, wait: float, *, as_json: bool) -> int:
    # Made here, so that every message below can contain the job's id.
    key = secrets.token_urlsafe(12)
    job_id = new_job_id(REGISTER_HOSPITAL, key)

    async def ask() -> RegistrationOutcome | str:
        async with connect() as producer:
            try:
                receipt = await producer.enqueue(REGISTER_HOSPITAL, payload, idempotency_key=key)
            except WritesRefused:
                raise
            except OutageError as error:
                return f"{error}; the queue may have taken the job"
            try:
                return await receipt.outcome(wait)
            except RemoteError:
                raise
            except TimeoutError:
                return f"no outcome within {wait:g} s; the queue has taken the job"
            except RegistryError as error:
                return f"{error}; the queue has taken the job"

    try:
        outcome = asyncio.run(ask())
    except KeyboardInterrupt:
        print_error(f"interrupted; the queue may have taken the job: hospital-producer status {job_id}")
        return INTERRUPTED
    except RemoteError as error:
        print_error(f"{job_id} failed: {error}")
        return NOTHING
    if isinstance(outcome, str):
        print_error(f"{outcome}: hospital-producer status {job_id}")
        return PARTLY
    facts = {"job_id": job_id} | outcome.model_dump(exclude_none=True, exclude={"token"})
    _show_facts("Registration", facts, as_json=as_json)
    return DONE if outcome.status == "registered" else PARTLY


def _show(title: str, file: HospitalFile, summary: dict[str, Any], rejects: RejectWriter, *, as_json: bool) -> None:
    facts = summary | {
        "format": file.format,
        "encoding": file.encoding,
        "columns_left_out": file.columns.left_out,
        "rejects_file": str(rejects.path) if rejects.count else None,
    }
    if not as_json:
        facts = {name: fact for name, fact in facts.items() if fact not in (None, [], ())}
    _show_facts(title, facts, as_json=as_json)
    show_rejects(rejects)


def _show_facts(title: str, facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(facts)
    else:
        show_facts(title, facts)
