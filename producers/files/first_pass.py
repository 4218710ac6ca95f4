"""What one pass over a table shows, before it is decided how to read it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from producers.files.columns import role_in_key, telling_apart
from producers.files.row_sample import RowSample
from producers.files.rows.lone_names import LoneNames
from producers.files.rows.repeated_headers import rows_of
from producers.files.rows.suspects import Suspects
from producers.files.statistics import ColumnStatistics
from producers.files.statistics_collector import StatisticsCollector
from producers.files.table import RawRow, Table

# About 15 MB. In a file with more, the rows are looked at again in each later pass.
_MOST_PROBLEMS = 100_000


@dataclass(frozen=True, slots=True)
class FirstPass:
    """The statistics of the columns, how many rows there are, some of them, and those that may be no hospitals.

    `first` are the rows at the beginning, up to 1,000 without a gap.

    `problems` has by line why a row is no hospital or cannot be split; None if there are too many. `problem` is
    that of the first row, if no row can be read.
    """

    statistics: Mapping[str, ColumnStatistics]
    rows_read: int
    sample: Sequence[RawRow]
    first: Sequence[RawRow]
    alone: LoneNames
    suspects: Suspects
    problems: Mapping[int, str] | None
    problem: str

    def rows(self, table: Table) -> Iterator[RawRow]:
        """Yield the rows of the table once more, with the problems that were found. Raises `FileError` likewise."""
        if self.problems is None:
            yield from rows_of(table)
            return
        problem_of = self.problems.get
        for raw in table.rows():
            raw.problem = raw.problem or problem_of(raw.line)
            yield raw


def read_through(table: Table) -> FirstPass:
    """Read all rows of a table once. Raises `FileError` if reading fails part-way."""
    collector = StatisticsCollector(table.columns, role=role_in_key, telling_apart=telling_apart)
    alone, suspects, sample = LoneNames(table), Suspects(table), RowSample()
    rows_read = usable = 0
    problems: dict[int, str] = {}
    for raw in rows_of(table):
        rows_read += 1
        if raw.problem is None:
            usable += 1
            sample.add(raw)
            # A total has no identifier, and would cost a short list its own.
            if not suspects.holds(raw) and not alone.holds(raw):
                collector.add(raw.fields)
            elif suspects.is_full:
                _decide(suspects, alone, sample, collector)
        elif len(problems) <= _MOST_PROBLEMS:
            problems[raw.line] = raw.problem
    _decide(suspects, alone, sample, collector)
    for raw in alone.hospitals():
        collector.add(raw.fields)
    line, problem = next(iter(problems.items()), (0, ""))
    return FirstPass(
        collector.finish(),
        rows_read,
        sample.rows,
        sample.first,
        alone,
        suspects,
        problems if len(problems) <= _MOST_PROBLEMS else None,
        f"line {line} {problem}" if problem and not usable else "",
    )


def _decide(suspects: Suspects, alone: LoneNames, sample: RowSample, collector: StatisticsCollector) -> None:
    for raw in suspects.decide(sample.rows, is_held=alone.is_alone):
        if not alone.holds(raw):
            collector.add(raw.fields)
