"""`hospital-producer generate`: make a sample file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from producers.commands.support import DONE, JsonOption, show
from producers.files.errors import FileError
from producers.generator import expected_truth, write_rows


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
    """Make a sample file of messy data, and show the counts that an import without --source must report."""
    if path.exists() and not force:
        raise FileError(path, "already exists; choose another name, or replace it with --force")
    if path.suffix == ".gz":
        raise FileError(path, "cannot be written compressed: leave out .gz, and run gzip on the file afterwards")
    write_rows(path, "ndjson" if path.suffix in (".ndjson", ".jsonl") else "csv", rows, seed)
    show(f"Made {path}", asdict(expected_truth(rows, seed)), as_json=as_json)
    return DONE
