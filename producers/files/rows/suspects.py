"""Rows that are not hospitals by what they say: totals, counts, statistics, numbered sections, legends, remarks.

A hospital may have such words in its name, so nearly all of these rows must also lack what other rows have. What
that is cannot be known before the end of a file, nor may such rows count for it. So suspects are held until then.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from producers.files.columns.names import identifier_cost
from producers.files.rows.area_totals import IS_A_SUM, AreaTotals, area_totals
from producers.files.rows.phrases import (
    Mark,
    begins_legend,
    is_count,
    is_remark,
    is_statistic,
    is_summary,
    is_total_of,
    is_total_word,
    mark_of,
    may_say_so,
    names_an_area,
)
from producers.files.rows.possible_sums import PossibleSums
from producers.files.rows.unknown_totals import MAY_BE_A_TOTAL, unknown_totals
from producers.files.table import EMPTY_DASHES, REASON_COLUMN, RawRow, Table, own_cells
from producers.files.words import fold, names_a_hospital

_FILL = "if it is a hospital, fill in the other cells of the row, such as its city, and load the rejected rows"
LOOKS_LIKE_A_TOTAL = (
    "looks like a total: its name has the word for it, and besides numbers it lacks what other rows have; "
    "if it is a hospital, fill in another cell of the row, such as its city, and load the rejected rows"
)
IS_A_COUNT = f"looks like a total or a count of hospitals, and has no other name; {_FILL}"
IS_STATISTICS = f"looks like a row of statistics, and lacks what other rows have; {_FILL}"
IS_A_SECTION = f"looks like the name of a section, and lacks what other rows have; {_FILL}"
IS_A_REMARK = f"looks like a remark on the list, and lacks what other rows have; {_FILL}"
"""Why such a row is not applied."""
_REASONS = (LOOKS_LIKE_A_TOTAL, IS_A_COUNT, IS_STATISTICS, IS_A_SECTION, IS_A_REMARK, MAY_BE_A_TOTAL)

_NEARLY_ALL = 0.9
_MOST_SECTIONS = 0.5
_MOST_HELD = 10_000
_MOST_TEXTS, _MOST_CELLS = 3, 3
_LONGEST_SYMBOL = 4
_MISSING_SURELY = 2
_FEWEST_OTHERS = 3
# A coordinate or a telephone number, which no sum is.
_PLACE_OR_PHONE = re.compile(r"\d[.,]\d{4,}|(?:\d[ ()/-]*){7,}")
_LETTER = re.compile(r"[^\W\d_]")
_is_blank = frozenset(("", None, *EMPTY_DASHES)).__contains__


class Suspects:
    """Holds the suspects among the rows of a file, and decides what they are.

    Give each usable row to `holds`. If it is held, nobody knows yet what it is: call `decide` at the end, and
    earlier if `is_full`. It returns the held rows that are hospitals; of the others, `reason` says why not.
    """

    def __init__(self, table: Table) -> None:
        self._is_of_rejects = REASON_COLUMN in table.columns
        self._has_totals = table.dialect.format in ("csv", "workbook") and not self._is_of_rejects
        self._held: list[RawRow] = []
        self._below_legend: set[int] = set()
        self._is_below_legend = False
        self._rows = 0
        self._usual: tuple[str, ...] = ()
        # The short cells of hospitals, by column: a mark among these is none.
        self._symbols: set[tuple[str, str]] = set()
        self._reasons: dict[int, str] = {}
        self._totals_if_unnamed: set[int] = set()
        self._names: tuple[str, ...] = ()
        self._possible_sums = PossibleSums()
        self._above: Sequence[object] = ()
        self._area_totals = AreaTotals(frozenset(), ())

    @property
    def is_full(self) -> bool:
        """Whether so many rows are held that they are to be decided now."""
        return len(self._held) >= _MOST_HELD

    def holds(self, row: RawRow) -> bool:
        """Return whether a row may not be a hospital."""
        self._rows += 1
        cells = list(row.fields.values())
        empty = cells.count("") + cells.count(None)
        if not (self._explains(row, cells, empty) or self._is_suspect(row, cells, empty)):
            return False
        self._held.append(row)
        return True

    def decide(self, sample: Sequence[RawRow], *, is_held: Callable[[RawRow], bool]) -> list[RawRow]:
        """Return the held rows that are hospitals, by a sample of all rows so far; then none is held any more.

        `is_held` says of a row whether it is not known to be a hospital for another reason.
        """
        held, self._held = self._held, []
        if held:
            lines = {row.line for row in held}
            others = [row for row in sample if row.line not in lines and not is_held(row)]
            self._learn([row for row in others if row.line not in self._reasons])
            self._reasons.update((row.line, reason) for row in held if (reason := self._decided(row)) is not None)
        if self._is_of_rejects:
            # All of a few rejected rows may be such, and still name their columns.
            return held
        sections = [line for line, reason in self._reasons.items() if reason == IS_A_SECTION]
        if len(sections) > _MOST_SECTIONS * self._rows:
            # Where most rows are so, they are what the list is of.
            for line in sections:
                del self._reasons[line]
        return [row for row in held if row.line not in self._reasons and row.line not in self._totals_if_unnamed]

    def find_totals(self, rows: Sequence[RawRow], last: RawRow, *, are_all: bool) -> bool:
        """Find totals that no word says so of, when the others are decided; return whether there are any.

        `rows` are a sample of the list, or all of it if `are_all`. `last` is the last row that may be a hospital.
        """
        rows = [row for row in rows if self.reason(row) is None]
        if not self._has_totals or not rows:
            return False
        totals = unknown_totals(rows, rows[-1] if are_all else last, are_all=are_all)
        self._reasons.update(dict.fromkeys(totals, MAY_BE_A_TOTAL))
        return bool(totals)

    def find_sums(self, rows: Iterable[RawRow]) -> bool:
        """Find the sums of a long list; return whether there are any. `rows` are all that may be hospitals."""
        sums = self._possible_sums.found(rows, self._reasons.keys())
        self._reasons.update(dict.fromkeys(sums, MAY_BE_A_TOTAL))
        return bool(sums)

    def find_area_totals(self, rows: Iterable[RawRow], whole: Iterable[RawRow] | None) -> bool:
        """Find totals that lack nothing; return whether there are any.

        `rows` may be hospitals, without a gap. `whole` are those of the whole list if `rows` are its beginning.
        """
        if not self._has_totals:
            return False
        found = area_totals(rows)
        if found.certain and whole is not None:
            # Few lists have such totals, and only these are read once more for the rest of them.
            found = area_totals(whole)
        self._reasons.update(dict.fromkeys(found.certain, IS_A_SUM))
        self._area_totals = found
        return bool(found.certain)

    def notes(self) -> list[str]:
        """Return a note if rows are loaded that may be totals."""
        return self._area_totals.notes()

    def called(self, names: Sequence[str]) -> None:
        """Take the columns of the hospitals' names."""
        self._names = tuple(names)

    def reason(self, row: RawRow) -> str | None:
        """Return why a row is not a hospital, or None."""
        if row.line in self._totals_if_unnamed:
            names = [str(row.fields.get(column) or "") for column in self._names]
            if not any(_LETTER.search(name) and not is_count(name) for name in names):
                return IS_A_COUNT
        return self._reasons.get(row.line)

    def _learn(self, hospitals: Sequence[RawRow]) -> None:
        """Take what hospitals have."""
        filled: Counter[str] = Counter()
        for row in hospitals:
            own = own_cells(row.fields)
            filled.update(own.keys())
            self._symbols.update(it for it in own.items() if len(it[1]) <= _LONGEST_SYMBOL)
        enough = max(_FEWEST_OTHERS, _NEARLY_ALL * len(hospitals))
        self._usual = tuple(it for it, count in filled.items() if count >= enough)

    def _explains(self, row: RawRow, cells: Sequence[object], empty: int) -> bool:
        """Return whether a row stands below the heading of a legend, and has a symbol and what it means."""
        if empty == len(cells) - 1:
            self._is_below_legend = begins_legend(next(iter(own_cells(row.fields).values()), ""))
        elif self._is_below_legend:
            symbol, *meaning = own_cells(row.fields).values()
            self._is_below_legend = len(symbol) <= _LONGEST_SYMBOL and len(meaning) == 1
            if self._is_below_legend:
                self._below_legend.add(row.line)
                return True
        return False

    def _is_suspect(self, row: RawRow, cells: Sequence[object], empty: int) -> bool:
        # First what is fast, because this runs for every row of a file.
        if self._is_of_rejects:
            return str(row.fields.get(REASON_COLUMN) or "").startswith(_REASONS)
        above, self._above = self._above, cells
        blank = empty + cells.count("-")
        texts = _first_texts(cells)
        if len(texts) > _MOST_TEXTS:
            return False
        if self._has_totals and 1 < len(cells) - blank < len(cells):
            # The area that a sum is of is that of the row above.
            own = texts if len(texts) == 1 else [text for text in texts if text not in above]
            if len(own) == 1:
                self._possible_sums.take(row, self._rows)
        if 6 * blank < len(cells):
            said = [text for text in texts if may_say_so(text)]
            return bool(said) and ((said[0] is texts[0] and said[0].endswith(":")) or any(map(is_summary, said)))
        if len(cells) - blank == 1:
            # What else fills one cell alone is judged by all such rows.
            return any(is_total_word(text) or is_count(text) for text in texts if may_say_so(text))
        if not texts or any(map(may_say_so, texts)):
            return True
        return len(cells) - blank <= _MOST_CELLS and any(
            mark_of(cell.strip()) in ("footnote", "section")
            for cell in cells
            if isinstance(cell, str) and 0 < len(cell) <= _LONGEST_SYMBOL
        )

    def _decided(self, row: RawRow) -> str | None:
        own = own_cells(row.fields)
        if self._is_of_rejects:
            # The few rows of rejects do not show what the rows of their list have.
            before = str(row.fields.get(REASON_COLUMN) or "")
            found = IS_A_REMARK if before.startswith(IS_A_REMARK) and len(own) <= _MOST_CELLS - 1 else None
            if before.startswith(MAY_BE_A_TOTAL) and sum(1 for it in own.values() if _LETTER.search(it)) <= 1:
                found = MAY_BE_A_TOTAL
            found = found or _judged(own, len(own), self._symbols)
            return found if found is not None and before.startswith(found) else None
        if row.line in self._below_legend:
            return IS_A_REMARK
        found = _judged(own, sum(column not in own for column in self._usual), self._symbols)
        if found is None and any(map(is_total_word, own.values())):
            self._totals_if_unnamed.add(row.line)
        return found


def _first_texts(cells: Sequence[object]) -> list[str]:
    """Return the first cells with a letter: no more than are too many."""
    texts = []
    for cell in cells:
        if isinstance(cell, str) and cell and _LETTER.search(cell):
            texts.append(cell)
            if len(texts) > _MOST_TEXTS:
                break
    return texts


def _judged(own: Mapping[str, str], missing: int, symbols: set[tuple[str, str]]) -> str | None:
    """Return why a row of these cells is not a hospital. `missing`: how many it lacks that others have."""
    marks = {column: mark for column, text in own.items() if (mark := mark_of(text)) is not None}
    texts = [text for column, text in own.items() if column not in marks and _LETTER.search(text)]
    first = next(iter(own.values()), "")
    if len(own) <= _MOST_CELLS and any(
        is_remark(text, leads=text is first) for text in texts if missing or (text is first and text.endswith(":"))
    ):
        return IS_A_REMARK
    if reason := _of_summary(own, texts, missing):
        return reason
    if not missing or len(texts) > 1 or any(map(_PLACE_OR_PHONE.search, own.values())):
        return None
    if not texts:
        return None if "section" in marks.values() else IS_A_COUNT
    at = list(own.values()).index(texts[0])
    before = [it for it in list(own.items())[:at] if it not in symbols]
    if list(own.items())[at] in symbols:
        # What other rows have as well is not a section: a hospital may be called "K".
        return None
    unusual = {marks[column] for column, _ in before if column in marks}
    return _of_one_text(texts[0], unusual, missing)


def _of_summary(own: Mapping[str, str], texts: Sequence[str], missing: int) -> str | None:
    """Return why a row with these texts is not a hospital if it is a total or counts hospitals."""
    summaries = [text for text in texts if is_summary(text)]
    counts = bool(texts) and (is_total_word(texts[0]) or all(map(is_count, texts)))
    if len(summaries) == len(texts):
        if counts:
            return IS_A_COUNT
        return LOOKS_LIKE_A_TOTAL if texts and missing else None
    # A total of an area may have the area's name beside it.
    others = [fold(text) for text in texts if text not in summaries]
    if len(summaries) != 1 or not all(f" {text} " in f" {fold(summaries[0])} " for text in others):
        return None
    # No total has an identifier.
    is_of_area = len(others) == 1 and is_total_of(summaries[0], others[0])
    surely = is_of_area and all(identifier_cost(column) is None for column in own)
    return LOOKS_LIKE_A_TOTAL if surely or missing >= _MISSING_SURELY else None


def _of_one_text(text: str, marks: set[Mark], missing: int) -> str | None:
    """Return what a row is that has one text, and what else it has are numbers and marks."""
    if "footnote" in marks:
        return IS_A_REMARK
    if names_a_hospital(text):
        return None
    if is_statistic(text):
        return IS_STATISTICS
    # Of a hospital called so, one cell may be unknown.
    is_area = missing >= _MISSING_SURELY and names_an_area(text)
    return IS_A_SECTION if "section" in marks or is_area else None
