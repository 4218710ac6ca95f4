"""What one pass over a table shows, before it is decided how to read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from producers.files.columns import role_in_key, telling_apart
from producers.files.row_sample import RowSample
from producers.files.rows.lone_names import LoneNames
from producers.files.rows.repeated_headers import rows_of
from producers.files.statistics import ColumnStatistics
from producers.files.statistics_collector import StatisticsCollector
from producers.files.table import RawRow, Table
from producers.files.values import is_total


@dataclass(frozen=True, slots=True)
class FirstPass:
    """The statistics of the columns, how many rows there are, some of them, and those that fill one cell alone.

    `problem` says why the first row cannot be read, if no row can.
    """

    statistics: Mapping[str, ColumnStatistics]
    rows_read: int
    sample: Sequence[RawRow]
    alone: LoneNames
    problem: str


def read_through(table: Table) -> FirstPass:
    """Read all rows of a table once. Raises `FileError` if reading fails part-way."""
    collector = StatisticsCollector(table.columns, role=role_in_key, telling_apart=telling_apart)
    alone, sample = LoneNames(table), RowSample()
    rows_read = usable = 0
    problem = ""
    for raw in rows_of(table):
        rows_read += 1
        if raw.problem is None:
            usable += 1
            sample.add(raw)
            # A total has no identifier, and would cost a short list its own.
            if not is_total(raw.fields) and not alone.holds(raw):
                collector.add(raw.fields)
        elif not problem:
            problem = f"line {raw.line} {raw.problem}"
    for raw in alone.hospitals():
        collector.add(raw.fields)
    return FirstPass(collector.finish(), rows_read, sample.rows, alone, "" if usable else problem)
