"""A file of hospitals: each row is a validated record, or the reasons why it is invalid."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from producers.files.axes import notes_on_axes
from producers.files.columns import (
    Advice,
    ColumnError,
    Columns,
    ColumnWishes,
    advice_on_collisions,
    choose_columns,
    telling_columns,
)
from producers.files.corrections import PROFILE, open_list
from producers.files.detection.side_by_side import refuse_side_by_side
from producers.files.errors import FileError
from producers.files.first_pass import FirstPass, read_through
from producers.files.profile import Profile
from producers.files.readers.json_documents import JsonDocumentTable
from producers.files.readers.workbooks import WorkbookTable
from producers.files.rows.called_names import CalledNames
from producers.files.rows.dittos import Dittos
from producers.files.rows.groups import GroupPlaces
from producers.files.rows.namesakes import Namesakes
from producers.files.rows.number_names import NumberNames
from producers.files.rows.other_kinds import (
    notes_on_closed_by_answers,
    notes_on_closing_dates,
    notes_on_names_of_others,
    notes_on_other_kinds,
    notes_on_villages,
)
from producers.files.rows.shared_identity import BedsOfHospitals
from producers.files.table import REJECT_COLUMNS, RawRow, Table, Wishes
from producers.files.values import FileRow, Readers, RowReader, ValueWishes, choose_readers
from worker.contract.fields import Source
from worker.errors import ConfigurationError

# Bytes. An ordinary row takes 3,000; with those kept, a report on most lists needs no second pass over the file.
_MOST_KEPT, _OF_A_CELL = 8_000_000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWishes:
    """What the user has said about a file: how it is read, what its columns and values mean.

    `strict`: a row with an optional cell that cannot be read is invalid. `profile` is that of an earlier delivery
    of the list; give it with `by_profile`.
    """

    reading: Wishes = field(default_factory=Wishes)
    columns: ColumnWishes = field(default_factory=ColumnWishes)
    values: ValueWishes = field(default_factory=ValueWishes)
    strict: bool = False
    profile: Profile | None = None

    def by_profile(self, profile: Profile) -> "FileWishes":
        """Return these wishes, and for what they leave open the decisions of a profile."""
        source = self.columns.source or profile.source
        return replace(
            self,
            columns=replace(self.columns, source=source, profile=dict(profile.columns)),
            values=replace(self.values, settings=profile.values),
            strict=self.strict or profile.strict,
            profile=profile,
        )


class HospitalFile:
    """A file of hospitals in any format that `open_table` reads. Create it with `open`.

    `statistics` are those of its columns, and `rows_read` the number of rows that they are of.
    """

    def __init__(self, table: Table, passed: FirstPass, wishes: FileWishes) -> None:
        self.path = table.path
        self.dialect = table.dialect
        self.lines = table.lines
        self.statistics = passed.statistics
        self.rows_read = passed.rows_read
        self.unread: Sequence[str] = table.unread if isinstance(table, WorkbookTable | JsonDocumentTable) else ()
        """Sheets, lists or pages of a document that go on with what is read, if nobody has chosen that."""
        self.source = wishes.columns.source
        try:
            # What a file of rejected rows has besides its own columns says nothing about hospitals.
            own = [column for column in self.statistics if column not in REJECT_COLUMNS]
            self.columns: Columns = choose_columns(own, self.statistics, wishes.columns)
            self._readers: Readers = choose_readers(self.columns.mapped, self.statistics, wishes.values)
        except (ColumnError, ConfigurationError) as error:
            raise FileError(self.path, str(error)) from None
        self._table = table
        self._passed = passed
        self._dittos = Dittos(self.columns.mapped, self.statistics)
        self._group_places = GroupPlaces(self.columns, self.statistics, passed.first)
        passed.suspects.called(self.columns.columns_of("hospital_name"))
        self._other_kinds = [
            *notes_on_other_kinds(self.columns, self.statistics),
            *notes_on_names_of_others(self.columns, self.statistics),
            *notes_on_villages(self.columns, self.statistics),
            *notes_on_closed_by_answers(self.columns, self.statistics),
            *notes_on_closing_dates(self.columns, self.statistics),
        ]
        self._axes = notes_on_axes(table, self.columns, self.statistics, self._readers.settings)
        self._constants = {} if self.source is None else {"source": self.source}
        self.strict = wishes.strict
        self.identity_is_given = "external_id" in wishes.columns.mapping
        """Whether the user says which column identifies the hospitals, or that none does."""
        profile = wishes.profile
        self._changes = profile.changes(tuple(own), self.dialect) if profile is not None else []
        before = profile.columns if profile is not None else {}
        self.lost: dict[str, str] = {
            name: " + ".join(columns)
            for name, columns in before.items()
            if not (set(columns) <= set(own) or self.columns.columns_of(name) or name in wishes.columns.mapping)
        }
        """The fields that no column is read into, because those that the profile names are gone."""
        self._notes_on_rows: list[str] = []
        self._rejected: dict[int, RawRow] = {}
        self._profile_beside: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: Path, wishes: FileWishes | None = None) -> "HospitalFile":
        """Read through the file at `path` once and decide how to read it.

        The rejected rows of an import are read by the profile beside them, unless `wishes` have one. Raises
        `FileError`, one line, for a file that cannot be read, has no rows, or has no column for the
        hospital's name, and for a wish that it cannot fulfil.
        """
        wishes = wishes or FileWishes()
        source = wishes.columns.source
        if source is not None and not _is_source(source):
            raise FileError(
                path,
                f"--source {source!r} is not a valid source: use lowercase letters, digits and . _ - as in cms",
            )
        table, profile = open_list(path, wishes.reading, wishes.profile)
        is_found = profile is not None and profile is not wishes.profile
        if profile is not None and is_found:
            wishes = wishes.by_profile(profile)
        try:
            file = cls._of_table(table, wishes)
        except FileError as error:
            if not isinstance(table, WorkbookTable):
                raise
            raise FileError(path, table.named_in(error.problem)) from None
        if is_found:
            file._profile_beside = (f"rejected rows of an import, read as their list: {path.with_name(PROFILE)}",)
        return file

    @classmethod
    def _of_table(cls, table: Table, wishes: FileWishes) -> "HospitalFile":
        refuse_side_by_side(table, name_is_chosen="hospital_name" in wishes.columns.mapping)
        passed = read_through(table)
        try:
            return cls(table, passed, wishes)
        except FileError:
            if not passed.problem:
                raise
            # Without any row, nothing could be said of the columns.
            raise FileError(table.path, f"none of its rows can be read: {passed.problem}") from None

    @property
    def notes(self) -> list[str]:
        """What a person should know of how the file is read, one sentence each; more after all of `rows`."""
        decided = [
            *(*self._table.notes, *self._passed.alone.notes(), *self._passed.suspects.notes()),
            *(*self.columns.notes, *self._other_kinds),
            *(*self._group_places.notes, *self._readers.notes, *self._axes),
        ]
        return list(dict.fromkeys([*self._profile_beside, *self._changes, *decided, *self._notes_on_rows]))

    @property
    def advice_on_collisions(self) -> Advice:
        """What to do if rows of different hospitals have one identity."""
        rows = [raw.fields for raw in self._passed.sample]
        key = telling_columns(self.columns, self.statistics, rows)
        return advice_on_collisions(self.columns, source_is_given=self.source is not None, key=key)

    @property
    def profile(self) -> Profile:
        """All that was decided, for the next delivery of the list."""
        return Profile(
            dialect=self.dialect,
            source=self.source,
            all_columns=tuple(column for column in self.statistics if column not in REJECT_COLUMNS),
            columns={mapped.field: mapped.columns for mapped in self.columns.mapped},
            values=self._readers.settings,
            strict=self.strict,
        )

    def rows(self) -> Iterator[FileRow]:
        """Yield every row that is not blank. Raises `FileError` if reading fails part-way."""
        # Every pass counts anew, and one that is not complete says nothing.
        self._readers.forget_changes()
        self._rejected.clear()
        kept = 0
        reader = RowReader(self.columns.mapped, self._readers, constants=self._constants, strict=self.strict)
        beds = BedsOfHospitals(self.columns, self.statistics)
        numbers, called = NumberNames(), CalledNames()
        namesakes = Namesakes(self.columns, self.statistics, source_is_given=self.source is not None)
        read = self._group_places.reading_apart(reader.read)
        for raw in self._dittos.filled_in(self._passed.rows(self._table)):
            raw.problem = raw.problem or self._why_no_hospital(raw)
            row = namesakes.check(read(raw))
            beds.take_in(row.known)
            numbers.take_in(row)
            called.take_in(row)
            if row.known is None and (size := _size_of(raw)) is not None and kept + size <= _MOST_KEPT:
                kept += size
                self._rejected[raw.line] = raw
            yield row
        noticed = (reader, self._dittos, namesakes, beds, numbers, called)
        self._notes_on_rows = [note for kind in noticed for note in kind.notes()]

    def some_rows(self) -> Iterator[FileRow]:
        """Yield up to 4,000 rows that have a record, spread over the whole file."""
        reader = RowReader(self.columns.mapped, self._readers, constants=self._constants, strict=self.strict)
        for raw in self._passed.sample:
            if self._dittos.are_in(raw):
                continue
            if self._why_no_hospital(raw) is None and (row := reader.read(raw)).known is not None:
                yield row

    def _why_no_hospital(self, raw: RawRow) -> str | None:
        return self._passed.suspects.reason(raw) or self._passed.alone.reason(raw.fields)

    def rejected_row(self, line: int) -> RawRow | None:
        """Return a row that the latest pass of `rows` rejected, if it is among those that are kept: 8 MB."""
        return self._rejected.get(line)

    def raw_rows(self) -> Iterator[RawRow]:
        """Yield the same rows as the file has them, in a tenth of the time. Raises `FileError` likewise."""
        return self._dittos.filled_in(self._passed.rows(self._table))


def _size_of(raw: RawRow) -> int | None:
    """Return about how many bytes a row takes; None if it has cells other than text, whose size is not known."""
    size = 0
    for cell in raw.fields.values():
        if not isinstance(cell, str):
            return None
        size += _OF_A_CELL + sys.getsizeof(cell)
    return size


def _is_source(source: str) -> bool:
    try:
        TypeAdapter(Source).validate_python(source)
    except ValidationError:
        return False
    return True
