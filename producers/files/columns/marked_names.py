"""Notes on names of hospitals that have more in their cells: "1. Oak", "4107 - Elm", "Ash*"."""

import re

from producers.files.statistics import ColumnStatistics

_FEWEST, _NEARLY_ALL = 5, 0.9
_LONGEST_SHOWN = 40
_NUMBERED = re.compile(r"[(\[]?[0-9]{1,9}(?:[.)\]:\u3001]|\s*[-\u2013\u2014/]\s)\s*(?=\S*[^\W\d_])")
_FOOTNOTE = re.compile(r"[*\u2020\u2021\u203b\u00b9\u00b2\u00b3]+\s*$")


def on_marked_names(column: str, known: ColumnStatistics) -> list[str]:
    """Return notes if nearly all names begin with a number, or some end with the mark of a footnote."""
    names = list(dict.fromkeys(str(cell).strip() for cell, _ in known.known_cells))
    numbered = [name for name in names if _NUMBERED.match(name)]
    notes = []
    if len(numbered) >= max(_FEWEST, _NEARLY_ALL * len(names)):
        notes.append(
            f"the names in {column} begin with a number (first: {numbered[0][:_LONGEST_SHOWN]!r}), and are stored "
            "with it: if it only numbers the rows, or is a code, take it out of the names, because the next "
            "list may have other numbers"
        )
    if marked := [name for name in names if _FOOTNOTE.search(name)]:
        notes.append(
            f"names in {column} end with the mark of a footnote (first: {marked[0][:_LONGEST_SHOWN]!r}), and are "
            "stored with it: take it out of the names, because the next list may have other footnotes"
        )
    return notes
