"""Notes on rows whose names say that they may not be hospitals at work, or not one hospital each."""

import re
from collections.abc import Callable, Sequence

from producers.files.rows.closed_names import is_called_closed
from producers.files.rows.offices import is_office
from producers.files.rows.unlikely_names import has_codes, is_for_trial, names_several
from producers.files.values import FileRow

_LONGEST_SHOWN = 40
# Which names these are, how the note calls them, and what to do about them.
_KINDS: Sequence[tuple[Callable[[str], bool], str, str]] = (
    (is_office, "like an office of an administration", "take out of the list what is not a hospital"),
    (is_for_trial, "like a row for trial", "take out of the list what is not a hospital"),
    (is_called_closed, "closed", "if it is not a hospital any more, take it out of the list"),
    (names_several, "like several hospitals", "if it is several, give each a row of its own"),
    (has_codes, "by a name with codes in place of letters", "get the list with its letters"),
)
# What every name of the third and the later kinds has. Looking for it once is faster, and this runs for every row.
_SIGN = re.compile(r"[()\[\]{}\uff08\uff09\u3010\u3011:;,*/\u2013\u2014\u2022\\%=-]|^[0-9]")
_WITHOUT_SIGN = _KINDS[:2]


class CalledNames:
    """Counts the rows with a record that are called so. They are loaded all the same."""

    def __init__(self) -> None:
        self._counts = [0] * len(_KINDS)
        self._first = [""] * len(_KINDS)

    def take_in(self, row: FileRow) -> None:
        """Take one row."""
        name = row.known.get("hospital_name") if row.known is not None else None
        if not isinstance(name, str):
            return
        for at, (is_called, _, _) in enumerate(_KINDS if _SIGN.search(name) else _WITHOUT_SIGN):
            if is_called(name):
                self._counts[at] += 1
                self._first[at] = self._first[at] or f"{name[:_LONGEST_SHOWN]!r} in line {row.line}"

    def notes(self) -> list[str]:
        """Return what a person should know: one sentence for each kind of name that there is."""
        found = []
        for (_, so, advice), count, first in zip(_KINDS, self._counts, self._first, strict=True):
            if count:
                are = "1 row is" if count == 1 else f"{count:,} rows are"
                found.append(f"{are} called {so} and loaded as a hospital, first {first}; {advice}")
        return found
