"""Small tables of hospitals, and what is decided about their columns."""

from collections.abc import Iterable, Mapping, Sequence

from producers.files.columns import Columns, ColumnWishes, choose_columns, role_in_key, telling_apart
from producers.files.statistics import ColumnStatistics
from producers.files.statistics_collector import StatisticsCollector


def statistics_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> dict[str, ColumnStatistics]:
    """Return the statistics of a table, gathered as a survey of a file does."""
    collector = StatisticsCollector(columns, role=role_in_key, telling_apart=telling_apart)
    for row in rows:
        collector.add(dict(zip(columns, row, strict=False)))
    return collector.finish()


def choose(columns: Sequence[str], rows: Sequence[Sequence[object]], wishes: ColumnWishes | None = None) -> Columns:
    """Return the columns that are chosen for a table."""
    return choose_columns(columns, statistics_of(columns, rows), wishes or ColumnWishes())


def fields(columns: Columns) -> Mapping[str, str]:
    """Return the column of each field; several columns are joined by `+`."""
    return {mapped.field: "+".join(mapped.columns) for mapped in columns.mapped}
