"""Columns that the header calls alike, such as three called "Beds": nothing says which of them is meant."""

from collections.abc import Collection, Mapping, Sequence

from producers.files.columns.mapping import option
from producers.files.columns.name_table import name_key
from producers.files.columns.names import fields_by_name
from producers.files.statistics import ColumnStatistics

_MOST_SHOWN = 5


def original_name(column: str, number: int) -> str:
    """Return the name as the header has it: blank and repeated ones have got the number of their column, from 1."""
    return "" if column == f"column {number}" else column.removesuffix(f" ({number})")


class SameNames:
    """The columns of a list that are called alike and have other cells."""

    def __init__(self, columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> None:
        names = [original_name(column, number) for number, column in enumerate(columns, 1)]
        self._names = dict(zip(columns, names, strict=True))
        by_key: dict[str, list[str]] = {}
        for column, name in self._names.items():
            if name and column in statistics and statistics[column].filled:
                by_key.setdefault(name_key(name), []).append(column)
        self._groups = [its for its in by_key.values() if not _are_alike([statistics[it] for it in its])]

    def beds(self, free: Collection[str]) -> list[str]:
        """Return the unused columns called beds that others are called as well: each may have a part of them."""
        groups = ([column for column in its if column in free] for its in self._groups)
        return [
            column
            for its in groups
            for column in its
            if len(its) > 1 and "beds" in fields_by_name(self._names[column])
        ]

    def notes(self, assigned: Mapping[str, str], free: Collection[str]) -> list[str]:
        """Return a note for each field whose column has a name that unused ones have as well."""
        found = []
        for field, column in assigned.items():
            others = [it for its in self._groups if column in its for it in its if it != column and it in free]
            if others:
                found.append(
                    f"{field} is read from {column}; other columns are called so, too, and differ: "
                    f"{', '.join(others[:_MOST_SHOWN])}; to read another one: {option(field, others[0])}"
                )
        return found


def on_beds(columns: Sequence[str]) -> str:
    """Return a note on columns that may be parts of the beds."""
    return (
        f"beds are not read, because columns are called alike and differ: {', '.join(columns[:_MOST_SHOWN])}; each "
        f"may have a part of them; to read one: {option('beds', columns[0])}"
    )


def _are_alike(columns: Sequence[ColumnStatistics]) -> bool:
    first = columns[0]
    return all((it.filled, it.values, it.sample) == (first.filled, first.values, first.sample) for it in columns)
