"""What one pass over a table shows, before it is decided how to read it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_TWO_COLUMNS = 2


@dataclass(frozen=True, slots=True)
class FirstPass:
    """The statistics of the columns, how many rows there are, some of them, and those that may not be hospitals.

    `first` are the rows at the beginning, up to 1,000 without a gap.

    `problems` has by line why a row is not a hospital or cannot be split; None if there are too many. `problem` is
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
    reading = _Reading(table)
    for raw in rows_of(table):
        reading.take(raw)
    return reading.finish()


class _Reading:
    """The rows of a table, one after the other."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._collector = self._new_collector()
        self._alone, self._suspects, self._sample = LoneNames(table), Suspects(table), RowSample()
        self._rows = self._usable = 0
        self._problems: dict[int, str] = {}
        # The latest row that may be a hospital.
        self._last = RawRow(0, {})

    def take(self, raw: RawRow) -> None:
        """Take the next row."""
        self._rows += 1
        if raw.problem is not None:
            if len(self._problems) <= _MOST_PROBLEMS:
                self._problems[raw.line] = raw.problem
            return
        self._usable += 1
        self._sample.add(raw)
        # A total has no identifier, and would cost a short list its own.
        if not self._suspects.holds(raw) and not self._alone.holds(raw):
            self._add(raw)
        elif self._suspects.is_full:
            self._decide()

    def finish(self) -> FirstPass:
        """Return what the rows show."""
        self._decide()
        self._find_totals()
        for raw in self._alone.hospitals():
            if self._suspects.reason(raw) is None:
                self._collector.add(raw.fields)
        line, problem = next(iter(self._problems.items()), (0, ""))
        return FirstPass(
            self._collector.finish(),
            self._rows,
            self._sample.rows,
            self._sample.first,
            self._alone,
            self._suspects,
            self._problems if len(self._problems) <= _MOST_PROBLEMS else None,
            f"line {line} {problem}" if problem and not self._usable else "",
        )

    def _add(self, raw: RawRow) -> None:
        self._collector.add(raw.fields)
        if raw.line > self._last.line:
            self._last = raw

    def _decide(self) -> None:
        for raw in self._suspects.decide(self._sample.rows, is_held=self._alone.is_alone):
            if not self._alone.holds(raw):
                self._add(raw)

    def _find_totals(self) -> None:
        """Find the totals that only the other rows show; these have been collected with them."""
        rows, are_all = self._sample.rows, len(self._sample.rows) == self._usable
        hospitals = [raw for raw in rows if not self._alone.is_alone(raw)]
        # In a table of two columns a total may have a name alone.
        candidates = rows if len(self._table.columns) == _TWO_COLUMNS else hospitals
        # Other sums lack what the last row lacks, too.
        has_sums = not are_all and self._suspects.find_sums(self._hospitals(rows_of(self._table)))
        has_totals = self._suspects.find_totals(candidates, self._last, are_all=are_all) and are_all
        # What lacks nothing is looked for last.
        beginning = self._hospitals(rows if are_all else self._sample.first)
        whole = None if are_all else self._hospitals(rows_of(self._table))
        has_area_totals = self._suspects.find_area_totals(beginning, whole)
        if has_sums or has_totals or has_area_totals:
            self._collector = self._new_collector()
            for raw in self._hospitals(hospitals if are_all else rows_of(self._table)):
                self._collector.add(raw.fields)

    def _hospitals(self, rows: Iterable[RawRow]) -> Iterator[RawRow]:
        """Yield the rows that may be hospitals by all that was found so far."""
        for raw in rows:
            if raw.problem is None and self._suspects.reason(raw) is None and not self._alone.is_alone(raw):
                yield raw

    def _new_collector(self) -> StatisticsCollector:
        return StatisticsCollector(self._table.columns, role=role_in_key, telling_apart=telling_apart)
