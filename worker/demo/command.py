"""`hospital-worker demo`: runs the demonstration and prints its summary."""

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.commands.support import EXIT_FAILED, console, fail, run
from worker.demo.report import DemoReport
from worker.demo.scenario import run_demo

EXIT_TERMINATED = 128 + signal.SIGTERM


def demo(
    file: Annotated[
        Path | None, typer.Option(help="File of hospitals to import (CSV or NDJSON); generated if omitted.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Source of the file's records, such as cms; the first word of its name if omitted."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep the servers' data in this folder for the next run.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write the summary as JSON to this file.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the workers' logs and the rejects file.")] = False,
) -> None:
    """Run the whole system on this machine with private servers. It stops automatically."""
    out = console()
    _check_writable(data, report)
    folder = Path(tempfile.mkdtemp(prefix="hospital-demo-"))
    finished = False
    try:
        found = run(lambda: _until_terminated(run_demo(out, folder, data, file, source)))
        found.show(out)
        if report is not None:
            report.write_text(json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8")
        finished = found.ok
    finally:
        # After a failure the workers' logs show the cause.
        if any(folder.iterdir()) and (keep or not finished):
            out.print(f"Logs and rejects are in {folder}")
        else:
            shutil.rmtree(folder)
    if not finished:
        raise SystemExit(EXIT_FAILED)


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
