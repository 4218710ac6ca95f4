"""`hospital-worker demo`."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from worker.commands.support import EXIT_FAILED, console, fail, run
from worker.demo.scenario import run_demo


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
    folder = Path(tempfile.mkdtemp(prefix="hospital-demo-"))
    finished = False
    try:
        found = run(lambda: run_demo(out, folder, data, file, source))
        found.show(out)
        if report is not None:
            _write(report, json.dumps(found.as_json(), indent=2) + "\n")
        finished = found.ok
    finally:
        # What went wrong is best read in the workers' logs.
        if keep or not finished:
            out.print(f"Logs and rejects are in {folder}")
        else:
            shutil.rmtree(folder)
    if not finished:
        raise SystemExit(EXIT_FAILED)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror})")
