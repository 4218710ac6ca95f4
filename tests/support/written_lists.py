"""Lists of a few lines, of the source `moh`: opened, and which of their rows are rejected."""

from pathlib import Path

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes

WISHES = FileWishes(columns=ColumnWishes(source="moh"))


def opened(folder: Path, *lines: str) -> HospitalFile:
    """Write these lines to a file, and open it."""
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    return HospitalFile.open(path, WISHES)


def rejected(file: HospitalFile) -> dict[int, str]:
    """Return the first reason of each row that is rejected, by its line."""
    return {row.line: row.reasons[0] for row in file.rows() if row.reasons}
