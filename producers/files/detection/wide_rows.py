"""Refuses a list whose header has fewer names than its rows have cells."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from producers.files.detection.headers import filled
from producers.files.errors import FileError
from producers.files.table import LINE_COLUMN

_FEWEST = 10
_LONGEST_SHOWN = 100


def refuse_wide_rows(
    path: Path, columns: Sequence[str], body: Sequence[Sequence[str]], *, skip: int | None
) -> None:
    """Raise `FileError` if most rows have the same number of cells too many: others may fit by chance, shifted.

    `skip`: the lines above the header that are known. If these have changed, a title may stand where the header
    did, and the profile that knows them says so.
    """
    rows = [row for row in body if filled(row)]
    wide = [row for row in rows if filled(row[len(columns) :])]
    width, count = Counter(map(len, wide)).most_common(1)[0] if wide else (0, 0)
    # All rows of a file of rejected rows may be too long.
    if skip is not None or count < _FEWEST or 2 * count <= len(rows) or LINE_COLUMN in columns:
        return
    first = " | ".join(next(row for row in wide if len(row) == width))[:_LONGEST_SHOWN]
    raise FileError(
        path,
        f"{count:,} of the first {len(rows):,} rows have {width} cells, but the header has {len(columns)}: "
        f"{first!r}; name every column in the header, or put texts with a delimiter in them in quotes",
    )
