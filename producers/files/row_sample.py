"""Rows of a file, spread over it, kept while it is read once."""

from dataclasses import replace

from producers.files.table import RawRow

MOST_FIRST = 1_000
"""So many rows at the beginning are kept as well, to see how they follow each other."""
MOST_ROWS = 4_000
"""A file of no more rows is kept whole, unless it has large cells."""
# About 20 MB of usual text. Outlines of places may take most of a file.
_MOST_CHARACTERS = 8_000_000


class RowSample:
    """Keeps every row, then every second, fourth and so on, as the file goes on.

    So of a long file there are between 2,000 and 4,000, evenly spread; fewer of a file with large cells.
    """

    def __init__(self) -> None:
        self.first: list[RawRow] = []
        """The first rows of the file, without a gap."""
        self._rows: list[tuple[RawRow, int]] = []
        self._characters = 0
        self._seen, self._step = 0, 1

    @property
    def rows(self) -> list[RawRow]:
        """The rows that are kept, in the order of the file."""
        return [row for row, _ in self._rows]

    def add(self, row: RawRow) -> None:
        """Take the next row of the file."""
        if self._seen % self._step == 0:
            row = _without_nested(row)
            size = sum(len(str(cell)) for cell in row.fields.values())
            self._rows.append((row, size))
            if self._step == 1 and len(self.first) < MOST_FIRST:
                self.first.append(row)
            self._characters += size
            while len(self._rows) > MOST_ROWS or self._characters > _MOST_CHARACTERS:
                del self._rows[1::2]
                self._characters = sum(size for _, size in self._rows)
                self._step *= 2
                if len(self._rows) == 1:
                    break
        self._seen += 1


def _without_nested(row: RawRow) -> RawRow:
    """Return a row without its lists and objects, such as outlines of places: these take many times their text."""
    if not any(isinstance(cell, dict | list) for cell in row.fields.values()):
        return row
    return replace(
        row, fields={name: cell for name, cell in row.fields.items() if not isinstance(cell, dict | list)}
    )
