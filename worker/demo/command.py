"""`hospital-worker demo`: runs the demonstration and prints its summary."""

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from producers.files import FileError, FileWishes
from producers.files.columns import ColumnWishes
from producers.files.profile import Profile, read_profile
from producers.files.table import Wishes
from producers.files.values import ValueWishes
from worker.commands.support import console, run
from worker.demo.page import serve_page
from worker.demo.report import DemoReport
from worker.demo.scenario import run_demo
from worker.failing import EXIT_FAILED, fail

EXIT_TERMINATED = 128 + signal.SIGTERM


def demo(  # noqa: PLR0913, PLR0917 (one argument for each option of the command line)
    file: Annotated[
        Path | None,
        typer.Option(help="File of hospitals to import, in any format that ingest reads; generated if omitted."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Source of the file's records, such as cms; the first word of its name if omitted."),
    ] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="The column of a field; repeatable.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the file, such as cp1252.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Character between two cells of a CSV file.")] = None,
    skip_rows: Annotated[int | None, typer.Option(min=0, help="Lines above the header.")] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The first line is a hospital.")] = False,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook.")] = None,
    profile: Annotated[Path | None, typer.Option(help="Profile that says how the file is read.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep the servers' data in this folder for the next run.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write the summary as JSON to this file.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the workers' logs and the rejects file, and serve the page.")
    ] = False,
) -> None:
    """Run the whole system on this machine with private servers. It stops automatically."""
    out = console()
    _check_writable(data, report)
    reading = Wishes(
        encoding=encoding,
        delimiter=delimiter,
        skip_rows=skip_rows,
        header=False if no_header else None,
        sheet=sheet,
    )
    try:
        wishes = _wishes(reading, _pairs(mapping or []), source, read_profile(profile) if profile else None)
    except FileError as error:
        fail(str(error))

    async def show(found: DemoReport, environment: Mapping[str, str]) -> None:
        found.show(out)
        if report is not None:
            report.write_text(json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8")
        if keep:
            await serve_page(out, folder, environment)

    folder = Path(tempfile.mkdtemp(prefix="hospital-demo-"))
    finished = False
    try:
        found = run(lambda: _until_terminated(run_demo(out, folder, data, file, wishes, show)))
        finished = found.ok
    finally:
        # After a failure the workers' logs show the cause.
        if any(folder.iterdir()) and (keep or not finished):
            out.print(f"Logs and rejects are in {folder}")
        else:
            shutil.rmtree(folder)
    if not finished:
        raise SystemExit(EXIT_FAILED)


def _pairs(mapping: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in mapping:
        field, separator, column = (part.strip() for part in pair.partition("="))
        if not (field and separator) or field in pairs:
            fail(f"--map takes FIELD=COLUMN, once for each field, not {pair!r}")
        pairs[field] = column
    return pairs


def _wishes(reading: Wishes, mapping: dict[str, str], source: str | None, profile: Profile | None) -> FileWishes:
    if profile is None:
        return FileWishes(reading=reading, columns=ColumnWishes(mapping=mapping, source=source))
    columns = ColumnWishes(mapping=mapping, source=source or profile.source, profile=profile.columns)
    return FileWishes(
        reading=profile.wishes(reading),
        columns=columns,
        values=ValueWishes(settings=profile.values),
    )


async def _until_terminated(demo: Coroutine[Any, Any, DemoReport]) -> DemoReport:
    """Run the demonstration; SIGTERM or a closed terminal stops it cleanly, as Ctrl-C does."""
    task = asyncio.ensure_future(demo)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise SystemExit(EXIT_TERMINATED) from None


def _check_writable(data: Path | None, report: Path | None) -> None:
    """Exit with a message, before the run instead of after it, if the folder or the file cannot be written."""
    try:
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
        if report is not None:
            report.open("a").close()
    except OSError as error:
        fail(f"{error.filename}: cannot be written ({error.strerror})")
