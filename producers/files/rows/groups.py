"""Places that stand only in the first row of each group, as merged cells of a spreadsheet become in CSV.

Nothing says that the rows below belong to the same place, so they are not filled. Without it, hospitals of one name
in two places would become one: the second such row is rejected.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from producers.files.columns.model import Mapped
from producers.files.statistics import ColumnStatistics
from producers.files.table import RawRow
from producers.files.values import FileRow
from worker.contract.identity import hospital_identity, is_identified_by_name

_PLACES = ("country", "state", "city")
_ROWS_OF_A_GROUP = 3


class GroupPlaces:
    """The places of a list, if it has any, that few rows have, each another one. `notes` name their columns."""

    def __init__(self, mapped: Iterable[Mapped], statistics: Mapping[str, ColumnStatistics]) -> None:
        found = {
            it.field: it.columns[0]
            for it in mapped
            if it.field in _PLACES and len(it.columns) == 1 and _begins_groups(statistics.get(it.columns[0]))
        }
        self._fields = tuple(found)
        self._columns = " and ".join(found.values())
        self.notes = [
            f"{column} is in few rows, each time another one, as if it stood for the rows below; these are read "
            "without it, and rejected if they have the name and place of another: fill its cells in"
            for column in found.values()
        ]

    def reading_apart(self, read: Callable[[RawRow], FileRow]) -> Callable[[RawRow], FileRow]:
        """Return a function that reads all rows in turn, and rejects one that may be of another place.

        This takes memory for each row without the place, but only in a list of this kind.
        """
        seen: set[int] = set()

        def read_apart(raw: RawRow) -> FileRow:
            row = read(raw)
            known = row.known
            if known is None or not is_identified_by_name(known) or all(it in known for it in self._fields):
                return row
            identity = hash(hospital_identity(known))
            if identity not in seen:
                seen.add(identity)
                return row
            reason = f"has the name and place of another row, but its {self._columns} may be another"
            return replace(row, known=None, reasons=(*row.reasons, reason))

        return read_apart if self._fields else read


def _begins_groups(known: ColumnStatistics | None) -> bool:
    if known is None or known.filled < 2 or known.filled * _ROWS_OF_A_GROUP > known.rows:
        return False
    return known.knows_all and known.share("text") == 1 and known.share_distinct == 1
