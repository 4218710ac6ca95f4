"""Text whose columns stand at fixed positions, with blanks between them instead of a delimiter."""

import re
from collections.abc import Sequence
from pathlib import Path

from producers.files.errors import FileError

_RULER = re.compile(r"\s*[-=_+|]{2,}(?:\s+[-=_+|]{2,})+\s*")
_GAP = re.compile(r"\S {2,}\S")
_FEWEST_LINES, _MOST_WITH_GAP = 3, 0.8
_POSITIONS_SHOWN = 8


def refuse_fixed_width(path: Path, lines: Sequence[str], body: Sequence[Sequence[str]], wish: str | None) -> None:
    """Raise `FileError` if these first lines have columns at fixed positions.

    `body` are their cells, of which there is one in each if no delimiter was found; `wish` is the delimiter
    that the user has named.

    Otherwise each whole line would be the name of a hospital.
    """
    if wish is not None or max(map(len, body), default=1) > 1:
        return
    filled = [line.rstrip() for line in lines if line.strip()]
    rows = [line for line in filled if not _RULER.fullmatch(line)]
    begins = _begins(rows)
    if len(begins) > 1 and (len(rows) < len(filled) or len(rows) >= _FEWEST_LINES):
        shown = ", ".join(str(at + 1) for at in begins[:_POSITIONS_SHOWN])
        raise FileError(
            path,
            f"its columns stand at fixed positions ({shown}) without a delimiter; save it as CSV, for example "
            f"with: pandas.read_fwf({path.name!r}).to_csv('OUT.csv', index=False); --delimiter , reads whole lines",
        )


def _begins(rows: Sequence[str]) -> list[int]:
    """Return where columns begin: behind positions that are blank in all rows, and two of them in most rows."""
    if len(rows) < 2 or sum(1 for row in rows if _GAP.search(row)) < _MOST_WITH_GAP * len(rows):
        return []
    width = max(map(len, rows))
    padded = [row.ljust(width) for row in rows]
    is_blank = [all(row[at] == " " for row in padded) for at in range(width)]
    begins = [at for at in range(width) if not is_blank[at] and (at == 0 or is_blank[at - 1])]
    # Blanks between words may stand below one another by chance, but not often two of them.
    wide = [at for at in begins[1:] if 2 * sum(row[at - 2 : at] == "  " for row in padded) >= len(padded)]
    return begins if wide else []
