"""`hospital-producer imports …`: list, show, resume and cancel imports, and fetch their reports."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from producers import ctrl_c
from producers.commands import support
from producers.commands.ingest import ReportCsvOption, ReportOption
from producers.commands.running import RunOptions, report_folder, run_import
from producers.commands.support import DONE, NOTHING, JsonOption, WaitOption, show
from producers.console import print_error, print_note, show_json
from producers.files import FileError, FileWishes, HospitalFile
from producers.files.digest import file_digest
from producers.files.import_files import ImportFiles, write_import_files
from producers.files.profile import parse_profile
from producers.files.spooling import STANDARD_INPUT
from producers.files.table import Wishes
from worker.acting_options import acting_options
from worker.console import ResultConsole
from worker.contract import CLOSE_IMPORT
from worker.contract.acting import Acting
from worker.contract.imports import MOST_IMPORTS_LISTED, CloseImport, Import
from worker.errors import BatchNotFound, ConfigurationError
from worker.escaping import escape
from worker.help_group import HelpGroup
from worker.shared_options import takes

if TYPE_CHECKING:
    from producers.imports import ImportResult
    from worker.queue.batches import BatchProgress

# What the columns of a list take beside the id.
_LEAST_OF_OTHERS = 32

app = typer.Typer(
    cls=HelpGroup, no_args_is_help=True, help="List, show, resume and cancel imports; fetch their reports."
)

ImportArgument = Annotated[str, typer.Argument(metavar="IMPORT", help="id of the import")]


@app.command("list")
def list_imports(
    limit: Annotated[int, typer.Option(min=1, max=MOST_IMPORTS_LISTED, help="how many")] = 20,
    wait: WaitOption = 10,
    as_json: JsonOption = False,
) -> int:
    """List the latest imports, the newest first."""
    found = _find(None, wait, limit)
    interrupted = _interrupted(found)
    if as_json:
        imports = [it.model_dump(mode="json", exclude={"profile"}) for it in found]
        show_json({"imports": [it | {"interrupted": it["import_id"] in interrupted} for it in imports]})
        return DONE
    if found:
        _show_list(found, interrupted)
    else:
        typer.echo("no imports")
    return DONE


@app.command("show")
def show_import(import_id: ImportArgument, wait: WaitOption = 10, as_json: JsonOption = False) -> int:
    """Show an import and how far it is."""
    found = _one(import_id, wait)

    async def ask() -> "ImportResult | None":
        from producers.imports import ImportResult  # noqa: PLC0415  # as in `support.connect`

        async with support.connect() as producer:
            with suppress(BatchNotFound):
                return ImportResult(found, await producer.batch(import_id).progress())
        return None

    result = ctrl_c.run(ask())
    interrupted = import_id in _interrupted([found])
    facts: dict[str, object] = {
        "import": found.import_id,
        "state": _state(found, interrupted=interrupted and not as_json),
        "file": found.file.name,
        "rows": found.file.rows,
        "source": found.source,
        "on_existing": found.on_existing,
        "started_by": found.started_by,
        "started_at": found.started_at.isoformat(),
        "ended_at": found.ended_at.isoformat() if found.ended_at else None,
    }
    if result is None:
        facts |= found.counts
    else:
        facts |= {status: count for status, count in result.rows.items() if count or as_json}
        facts["unaccounted"] = result.unaccounted
        facts |= {f"jobs_{name}": count for name, count in _jobs(result.progress).items() if count or as_json}
        facts["left_out"] = [f"{field} {count:,}" for field, count in result.left_out.items()]
    if as_json:
        facts["interrupted"] = interrupted
    show("Import", facts, as_json=as_json)
    if interrupted:
        _say_how_to_end(found, wait)
    return DONE


@app.command()
@takes(acting_options, argument="acting")
def resume(  # a parameter for each option
    import_id: ImportArgument,
    acting: Acting,
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="where the file is; default: where it was")
    ] = None,
    report: ReportOption = None,
    report_csv: ReportCsvOption = False,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Continue an import that was interrupted, at the first rows that were not enqueued."""
    found = _one(import_id, wait)
    if found.state != "running":
        print_error(f"import {import_id} is {found.state}; see: hospital-producer imports report {import_id}")
        return NOTHING
    options = RunOptions(report=report, report_csv=report_csv, wait=wait, as_json=as_json)
    file = _open(found, path)

    async def record() -> None:
        async with support.connect() as producer:
            await producer.record_action(acting.on("resume", "import", [import_id], result="asked for"))

    ctrl_c.run(record())
    return run_import(file, options, on_existing=found.on_existing, begun=found)


@app.command()
@takes(acting_options, argument="acting")
def cancel(import_id: ImportArgument, acting: Acting, wait: WaitOption = 10, as_json: JsonOption = False) -> int:
    """Cancel an import: what waits is dropped. Rows that are stored stay stored."""

    async def drop() -> "BatchProgress":
        async with support.connect() as producer:
            batch = producer.batch(import_id)
            progress: BatchProgress | None = None
            with suppress(BatchNotFound):
                progress = await batch.progress()
            if progress is not None and progress.has_ended:
                return progress
            if progress is None:
                _check_running(found)
            await producer.record_action(acting.on("cancel", "import", [import_id], result="asked for"))
            if progress is None:
                # It was interrupted before its batch was made; now it ends as others do.
                await batch.create((CLOSE_IMPORT, CloseImport(import_id=import_id)))
            return await batch.cancel()

    found = _one(import_id, wait)
    progress = ctrl_c.run(drop())
    jobs = {name if as_json else f"jobs_{name}": count for name, count in _jobs(progress).items()}
    show(f"Import {import_id}", {"state": progress.state, **jobs}, as_json=as_json)
    if progress.state == "finished":
        print_error(f"import {import_id} has finished, so nothing was cancelled")
        return NOTHING
    return DONE


@app.command()
def report(  # a parameter for each option
    import_id: ImportArgument,
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="where the file is; default: where it was")
    ] = None,
    folder: ReportOption = None,
    report_csv: ReportCsvOption = False,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Write the report of an import and its rejected rows again."""
    found = _one(import_id, wait)
    file = _open(found, path)
    target = report_folder(file, folder) / import_id

    async def write() -> ImportFiles:
        from producers.imports import report_entries  # noqa: PLC0415  # as in `support.connect`

        async with support.connect() as producer:
            entries = report_entries(producer, import_id, wait)
            return await write_import_files(file, entries, target, as_csv=report_csv)

    files = ctrl_c.run(write())
    if found.state == "running":
        print_note(f"import {import_id} has not ended, so its report is not complete")
    facts = {
        "report": str(files.report) if files.report else None,
        "entries": files.entries,
        "rejects": str(files.rejects) if files.rejects else None,
        "rows_to_correct": files.rejected,
    }
    show(f"Report of import {import_id}", facts, as_json=as_json)
    return DONE


def _find(import_id: str | None, wait: float, limit: int = 1) -> list[Import]:
    async def ask() -> list[Import]:
        from producers.imports import find_imports  # noqa: PLC0415  # as in `support.connect`

        async with support.connect() as producer:
            return await find_imports(producer, import_id, limit, wait)

    try:
        return ctrl_c.run(ask())
    except TimeoutError:
        raise ConfigurationError(f"no worker has answered within {wait:g} s; start a worker") from None


def _one(import_id: str, wait: float) -> Import:
    found = _find(import_id, wait)
    if not found:
        raise ConfigurationError(f"there is no import {import_id}; see: hospital-producer imports list")
    return found[0]


def _interrupted(found: list[Import]) -> frozenset[str]:
    async def ask() -> frozenset[str]:
        from producers.interrupted import interrupted_imports  # noqa: PLC0415  # as in `support.connect`

        async with support.connect() as producer:
            return await interrupted_imports(producer, found)

    return ctrl_c.run(ask()) if any(it.state == "running" for it in found) else frozenset()


def _state(found: Import, *, interrupted: bool) -> str:
    return "interrupted" if interrupted else found.state


def _say_how_to_end(found: Import, wait: float) -> None:
    commands = "hospital-producer imports"
    print_note(
        f"it was interrupted, and does not end by itself; continue it: {commands} resume {found.import_id}; "
        f"or end it, which keeps what is stored: {commands} cancel {found.import_id}"
    )
    for other in _find(None, wait, MOST_IMPORTS_LISTED):
        if other.file.sha256 == found.file.sha256 and other.started_at > found.started_at:
            print_note(
                f"the same file was imported later, with --on-existing {other.on_existing}: {other.import_id}"
            )
            return


def _show_list(found: list[Import], interrupted: Collection[str]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("import", "state", "rows"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "rows" else "left")
    table.add_column("file")
    narrowest = _LEAST_OF_OTHERS + max(len(it.import_id) for it in found)
    for it in found:
        # The id begins with the file's name and the time is in it, so that is what can be cut.
        file = Text(escape(Path(it.file.name).name), no_wrap=True, overflow="ellipsis")
        table.add_row(it.import_id, _state(it, interrupted=it.import_id in interrupted), f"{it.file.rows:,}", file)
    console = ResultConsole()
    # Every other command needs the id: if there is no room for it, the terminal may break its line after it.
    console.width = max(console.width, narrowest)
    console.print(table)


def _check_running(found: Import) -> None:
    if found.state != "running":
        raise ConfigurationError(f"import {found.import_id} is {found.state}, and its jobs are forgotten")


def _open(found: Import, path: Path | None) -> HospitalFile:
    """Open the file of an import as it was read then. Raises `FileError` if it is another file."""
    if path is None and found.file.name.startswith(STANDARD_INPUT):
        raise FileError(Path(found.file.name), "cannot be read again; name a file of the same content after the id")
    path = path or Path(found.file.name)
    profile = parse_profile(found.profile, path)
    # The file is the same one, so that its encoding is known.
    reading = Wishes(encoding=profile.dialect.encoding or None)
    wishes = FileWishes(reading=reading, strict=found.strict).by_profile(profile)
    file = HospitalFile.open(path, wishes)
    if file_digest(path)[1] != found.file.sha256:
        raise FileError(path, f"is not the file of import {found.import_id}: its content differs")
    return file


def _jobs(progress: "BatchProgress") -> dict[str, object]:
    return {
        "total": progress.total,
        "complete": progress.complete,
        "dead": progress.dead,
        "dropped": progress.dropped,
        "waiting": progress.total - progress.ended,
    }
