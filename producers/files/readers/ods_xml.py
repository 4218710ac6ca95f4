"""What the reader of workbooks does not say of an ods: merged cells, hidden rows, numbers with leading zeros."""

import re
import zipfile
from collections.abc import Mapping
from typing import IO

from producers.files.readers.number_formats import digit_format
from producers.files.readers.spreadsheet_parts import CellFacts, contains, parse

CONTENT = "content.xml"
_CELLS = ("table-cell", "covered-table-cell")
_HIDDEN = ("collapse", "filter")
_HIDDEN_SIGNS = tuple(f'lity="{word}"'.encode() for word in _HIDDEN)
# The rows below a list may be hidden as one row that is repeated a million times.
_MOST_REPEATED = 1_000


def ods_facts(archive: zipfile.ZipFile) -> dict[str, CellFacts]:
    """Return the facts of each sheet. Raises what reading a part raises."""
    with archive.open(CONTENT) as stream:
        if not contains(stream, b"number-rows-spanned", b"<text:p>0", *_HIDDEN_SIGNS):
            return {}
    with archive.open(CONTENT) as stream:
        return _Content().read(stream)


class _Content:
    def __init__(self) -> None:
        self._facts: dict[str, CellFacts] = {}
        self._sheet = CellFacts()
        self._row = self._column = self._rows = self._columns = 0
        self._number: float | None = None
        self._text = ""

    def read(self, stream: IO[bytes]) -> dict[str, CellFacts]:
        parse(stream, self._start, self._end, self._add)
        return self._facts

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table":
            self._row = 0
            self._sheet = self._facts[attributes.get("table:name", "")] = CellFacts()
        elif name == "table-row":
            self._column = 0
            self._rows = int(attributes.get("table:number-rows-repeated", 1))
            if attributes.get("table:visibility") in _HIDDEN:
                self._sheet.hidden_rows += range(self._row, self._row + min(self._rows, _MOST_REPEATED))
        elif name in _CELLS:
            self._columns = int(attributes.get("table:number-columns-repeated", 1))
            spanned = int(attributes.get("table:number-rows-spanned", 1))
            if spanned > 1:
                here, last = (self._row, self._column), self._row + spanned - 1
                self._sheet.merged.append((here, (last, self._column)))
            is_number = attributes.get("office:value-type") == "float"
            self._number = float(attributes.get("office:value", "nan")) if is_number else None
            self._text = ""

    def _add(self, text: str) -> None:
        if self._number is not None:
            self._text += text

    def _end(self, name: str) -> None:
        if name == "table-row":
            self._row += self._rows
        elif name in _CELLS:
            if self._number is not None and self._text.startswith("0"):
                # The format itself is in the styles; the text shows what it does.
                shown = digit_format(re.sub(r"\d", "0", self._text))
                if shown is not None and shown.shown(self._number) == self._text:
                    self._sheet.formatted.append((self._row, self._column, shown))
            self._column += self._columns
            self._number = None
