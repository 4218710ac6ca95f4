"""`hospital-worker demo`."""

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
        Path | None, typer.Option(help="Hospitals to load (CSV or NDJSON); generated if left out.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Whose list the file is, such as cms; if left out, the first word of its name."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep the servers' data in this folder for the next run.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the summary as JSON to this file, too.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the workers' logs and the rejects file.")] = False,
) -> None:
    """Show the whole system at work on this machine, with servers of its own, and stop by itself."""
    out = console()
    _check_places(data, report)
    folder = Path(tempfile.mkdtemp(prefix="hospital-demo-"))
    finished = False
    try:
        found = run(lambda: _until_terminated(run_demo(out, folder, data, file, source)))
        found.show(out)
        if report is not None:
            report.write_text(json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8")
        finished = found.ok
    finally:
        # What went wrong is best read in the workers' logs.
        if any(folder.iterdir()) and (keep or not finished):
            out.print(f"Logs and rejects are in {folder}")
        else:
            shutil.rmtree(folder)
    if not finished:
        raise SystemExit(EXIT_FAILED)


async def _until_terminated(demo: Coroutine[Any, Any, DemoReport]) -> DemoReport:
    """Run the demonstration; SIGTERM or a closed terminal stops it in order, as Ctrl-C does."""
    task = asyncio.ensure_future(demo)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise SystemExit(EXIT_TERMINATED) from None


def _check_places(data: Path | None, report: Path | None) -> None:
    """End the program if a folder or file that is written to at the end cannot be."""
    try:
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
        if report is not None:
            report.open("a").close()
    except OSError as error:
        fail(f"{error.filename}: cannot be written ({error.strerror})")
