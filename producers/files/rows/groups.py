"""Places that stand only in the first row of each group, as merged cells of a spreadsheet become in CSV.

Nothing says that the rows below belong to the same place, so they are not filled. Without it, hospitals of one name
in two places would become one: the row of the second place is rejected.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from producers.files.columns.model import Columns
from producers.files.columns.names import fields_by_name
from producers.files.statistics import ColumnStatistics
from producers.files.table import EMPTY_DASHES, RawRow
from producers.files.values import FileRow
from worker.contract.identity import hospital_identity, is_identified_by_name

MAY_BE_ELSEWHERE = "has the name and place of another row, but its "
"""How the reason begins for which a row is rejected that may be of another place."""

_PLACES = frozenset(("country", "state", "county", "city", "postal_code"))
_ROWS_OF_A_GROUP = 3
_FEWEST_GROUPS = 2
# What is missing by chance is also the same here and there.
_DISTINCT = 0.9
# With fewer gaps, a place is just not known here and there, and nothing needs to be said unless rows clash.
_GAPS = 0.4


class GroupPlaces:
    """The places of a list, if it has any, that stand in the first row of a group. `notes` name their columns.

    `first` are the rows at the beginning of the file, without a gap.
    """

    def __init__(
        self, columns: Columns, statistics: Mapping[str, ColumnStatistics], first: Sequence[RawRow]
    ) -> None:
        read = {it.columns[0]: it.field for it in columns.mapped if it.field in _PLACES and len(it.columns) == 1}
        unread = [it for it in columns.left_out if not _PLACES.isdisjoint(fields_by_name(it))]
        self._columns = tuple(
            column
            for column in (*read, *unread)
            if (known := statistics.get(column)) is not None
            and known.filled < known.rows
            and (_are_few(known) or (known.share_distinct >= _DISTINCT and _begin_groups(column, first)))
        )
        self.notes = [
            f"{column} is {how}, as if it stood for the rows below; these are read without it, and rejected if "
            "they have the name and place of another: fill its cells in"
            for column in self._columns
            if (how := _how(statistics[column]))
        ]

    def reading_apart(self, read: Callable[[RawRow], FileRow]) -> Callable[[RawRow], FileRow]:
        """Return a function that reads all rows in turn, and rejects one that may be of another place.

        This takes memory for each row, but only in a list of this kind.
        """
        if not self._columns:
            return read
        # The group of the first row of each identity, and whether that row has its places itself.
        seen: dict[int, tuple[int, bool]] = {}
        names = " and ".join(self._columns)
        group = 0

        def read_apart(raw: RawRow) -> FileRow:
            nonlocal group
            row = read(raw)
            cells = [_is_filled(raw.fields.get(column)) for column in self._columns]
            group += any(cells)
            if row.known is None or not is_identified_by_name(row.known):
                return row
            here = (group, all(cells))
            first = seen.setdefault(hash(hospital_identity(row.known)), here)
            # If both have the place, it is compared like any other value.
            if first[0] == group or (first[1] and here[1]):
                return row
            reason = f"{MAY_BE_ELSEWHERE}{names} may be another"
            return replace(row, known=None, reasons=(*row.reasons, reason))

        return read_apart


def _how(known: ColumnStatistics) -> str:
    if _are_few(known):
        return "in few rows, each time another one"
    return "missing in many rows, and never the same in two rows in turn" if known.share_filled <= 1 - _GAPS else ""


def _are_few(known: ColumnStatistics) -> bool:
    if known.filled < _FEWEST_GROUPS or known.filled * _ROWS_OF_A_GROUP > known.rows:
        return False
    return known.knows_all and known.share("text") == 1 and known.share_distinct == 1


def _begin_groups(column: str, rows: Sequence[RawRow]) -> bool:
    """Return whether a column is filled in the first row, and no value is repeated in the row below it."""
    cells = [raw.fields.get(column) for raw in rows]
    filled = [_is_filled(cell) for cell in cells]
    if sum(filled) < _FEWEST_GROUPS or sum(filled) > len(cells) - _FEWEST_GROUPS or not filled[0]:
        return False
    return not any(here and cell == above for here, cell, above in zip(filled[1:], cells[1:], cells, strict=False))


def _is_filled(cell: object) -> bool:
    return cell is not None and str(cell).strip() not in ("", *EMPTY_DASHES)
