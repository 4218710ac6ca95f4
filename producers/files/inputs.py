"""The files that a command is to read: from names, folders, archives and standard input."""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj

from producers.console import print_note
from producers.files.detection.compression import members
from producers.files.errors import FileError
from producers.files.spooling import SPOOL_PREFIX, SPOOLED

STANDARD_INPUT = Path("-")
# What this program writes beside a file that it loads: the folder of an import, and rejected registrations.
_OWN_FOLDER = re.compile(r"[a-z0-9-]+-\d{8}-\d{6}-[0-9a-f]{4}")
_OWN_ENDING = ".rejects.ndjson"


@contextmanager
def input_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the files to read, in order, each once.

    A folder stands for the files in it and below, without hidden ones, by name; a ZIP archive of several files for
    its members (`lists.zip/a.csv`); `-` for standard input, which is copied to a temporary file, because files are
    read twice. Raises `FileError` for a path that does not exist and for a folder without files.
    """
    with tempfile.TemporaryDirectory(prefix=SPOOL_PREFIX) as folder:
        found: dict[Path, None] = {}
        for path in paths:
            for file in [_standard_input(Path(folder))] if path == STANDARD_INPUT else _files(path):
                found.update(dict.fromkeys(_unpacked(file)))
        yield list(found)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [it for it in sorted(path.rglob("*")) if it.is_file() and not _is_hidden(it.relative_to(path))]
    files = [file for file in found if not _is_own(file.relative_to(path))]
    own = {report for file in found if (report := _report_above(file.relative_to(path))) is not None}
    for folder in sorted(own):
        print_note(f"{path / folder} looks like the report of an import and is not read; name it to load it")
    if not files:
        raise FileError(path, "is a folder without files")
    return files


def _is_own(path: Path) -> bool:
    return path.name.endswith(_OWN_ENDING) or _report_above(path) is not None


def _report_above(path: Path) -> Path | None:
    """Return the folder above a file that is called like that of an import, if there is one."""
    return next((it for it in reversed(path.parents) if _OWN_FOLDER.fullmatch(it.name)), None)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "~$")) for part in path.parts)


def _unpacked(file: Path) -> list[Path]:
    if not file.is_file():
        return [file]
    names = members(file)
    is_shapefile = any(name.lower().endswith((".shp", ".kml")) for name in names)
    # Of two members of one name, only one could be read; opening such an archive says so.
    is_ambiguous = len({*names}) < len(names)
    return [file] if len(names) < 2 or is_shapefile or is_ambiguous else [file / name for name in names]


def _standard_input(folder: Path) -> Path:
    spooled = folder / SPOOLED
    with spooled.open("xb") as file:
        copyfileobj(sys.stdin.buffer, file)
    return spooled
