"""`RowReader`: makes records of rows. An optional cell that cannot be read is left out and never costs its row."""

from collections import Counter
from collections.abc import Mapping, Sequence

from producers.files.values.angles import Position
from producers.files.values.cells import (
    MISSING,
    CellReader,
    FileRow,
    LeftOut,
    MappedColumns,
    Row,
    UnreadableCell,
    shown,
)
from producers.files.values.choosing import Readers
from producers.files.values.countries import place_in_country
from producers.files.values.misplaced import IS_NUMBER, Misplaced
from worker.contract.known import Known, parse_known
from worker.errors import InvalidPayload, PayloadProblem

_REQUIRED = frozenset(("hospital_name", "source", "external_id"))
_ATTRIBUTE = "attributes."
# Of each field: 1 MB at most.
_MOST_KEPT, _LONGEST_KEPT = 5_000, 200
# A value that is left out can make another one invalid, but not endlessly.
_MOST_ROUNDS = 5


class RowReader:
    """Reads the rows of one file.

    `mapped` says which columns are which fields. `constants` are fields with one value for all rows, such as the
    source. If `strict`, a row is rejected for what would be left out of it.
    """

    def __init__(
        self,
        mapped: Sequence[MappedColumns],
        readers: Readers,
        *,
        constants: Mapping[str, object] | None = None,
        strict: bool = False,
    ) -> None:
        self._constants = dict(constants or {})
        self._strict = strict
        self._readers = readers
        self._columns = {it.field: it.columns for it in mapped}
        both = {"latitude", "longitude"} <= self._columns.keys()
        self._cells = [
            _Cells(it.field, it.columns, readers.by_field[it.field])
            for it in mapped
            if it.field not in self._constants and (both or it.field not in ("latitude", "longitude"))
        ]
        self._has_position = not self._columns.keys().isdisjoint(("latitude", "longitude", "location"))
        self._has_attributes = any(field.startswith(_ATTRIBUTE) for field in self._columns)
        self._fields_of = {column: it.field for it in mapped for column in it.columns}
        self._repaired: Counter[str] = Counter()
        self._outside = self._first_outside = 0
        self._misplaced = Misplaced(readers.numbers)

    def read(self, raw: Row) -> FileRow:
        """Return the row's record, or the reasons why it has none, and what was left out."""
        if raw.problem is not None:
            return FileRow(raw.line, None, (raw.problem,), (), raw.fields, raw.text)
        if raw.repaired:
            self._repaired.update(self._fields_of[it] for it in raw.repaired if it in self._fields_of)
        left_out: list[LeftOut] = []
        reasons: list[str] = []
        values = self._values(raw.fields, left_out, reasons)
        if misplaced := self._misplaced.take_out(values, raw.line):
            left_out += [self._left_out(raw, field, IS_NUMBER) for field in misplaced]
        if self._has_position:
            self._place(raw, values, left_out)
        if self._has_attributes:
            self._gather_attributes(values)
        if "hospital_name" not in values and not any(reason.startswith("hospital_name") for reason in reasons):
            cell = shown([raw.fields.get(it) for it in self._columns.get("hospital_name", ())])
            reasons.append("hospital_name: is missing" + (f" ({cell!r})" if cell else ""))
        if "external_id" in values and "source" not in values:
            reasons.append("external_id: needs a source, and the row has none")
        known = None if reasons else self._validated(raw, values, left_out, reasons)
        if self._strict and left_out:
            known = None
            reasons += [f"{it.field}: {it.reason}" for it in left_out]
        return FileRow(raw.line, known, tuple(reasons), tuple(left_out), raw.fields, raw.text)

    def _values(
        self, fields: Mapping[str, object], left_out: list[LeftOut], reasons: list[str]
    ) -> dict[str, object]:
        values = self._constants.copy()
        for its in self._cells:
            # This runs for every cell of a file, and nearly every cell of some columns was read before.
            cell = fields.get(its.column)
            value = its.known.get(cell) if type(cell) is str else None
            try:
                if value is None:
                    value = its.read(fields)
            except UnreadableCell as error:
                if its.field in _REQUIRED:
                    reasons.append(f"{its.field}: {error}")
                else:
                    cells = [fields.get(column) for column in its.columns]
                    left_out.append(LeftOut(its.field, " + ".join(its.columns), shown(cells), str(error)))
                continue
            if value is not MISSING:
                values[its.field] = value
        return values

    def notes(self) -> list[str]:
        """Return what was changed in the cells that were read so far, beyond white space."""
        notes = [
            f"{field}: {what} ({_cells(count)})"
            for field, reader in self._readers.by_field.items()
            for what, count in sorted(reader.changes.items())
        ]
        notes += [
            f"{field}: a stray byte read as cp1252 ({_cells(count)})" for field, count in self._repaired.items()
        ]
        if self._outside:
            cells = f"{_cells(self._outside)}, first in line {self._first_outside}"
            notes.append(f"location: outside of the row's country ({cells})")
        return notes + self._misplaced.notes()

    def _place(self, raw: Row, values: dict[str, object], left_out: list[LeftOut]) -> None:
        """Make one location of what the row says of its position."""
        position = values.pop("location", None)
        if position is None and ("latitude" in values or "longitude" in values):
            latitude, longitude = values.pop("latitude", None), values.pop("longitude", None)
            if latitude is None or longitude is None:
                known, other = ("longitude", "latitude") if latitude is None else ("latitude", "longitude")
                left_out.append(self._left_out(raw, known, f"has no {other} beside it that could be read"))
                return
            position = (latitude, longitude)
        else:
            values.pop("latitude", None)
            values.pop("longitude", None)
        if isinstance(position, tuple):
            try:
                self._readers.region.check(position)
                self._check_country(raw, position, values.get("country"))
            except UnreadableCell as error:
                left_out.append(self._left_out(raw, "location", str(error)))
                return
            values["location"] = {"coordinates": (position[1], position[0])}

    def _check_country(self, raw: Row, position: Position, country: object) -> None:
        if not isinstance(country, str):
            return
        place = place_in_country(position, country)
        if place == "swapped":
            raise UnreadableCell("is outside of its country; perhaps latitude and longitude are swapped")
        if place == "outside":
            # Boxes of countries lack small islands, so the position stays.
            self._outside += 1
            self._first_outside = self._first_outside or raw.line

    def _gather_attributes(self, values: dict[str, object]) -> None:
        named = [field for field in values if field.startswith(_ATTRIBUTE)]
        if named:
            whole = values.get("attributes")
            attributes = dict(whole) if isinstance(whole, dict) else {}
            attributes.update((field.removeprefix(_ATTRIBUTE), values.pop(field)) for field in named)
            values["attributes"] = attributes

    def _validated(
        self, raw: Row, values: dict[str, object], left_out: list[LeftOut], reasons: list[str]
    ) -> Known | None:
        """Return the known fields of a valid record. Optional values that the contract refuses are left out."""
        for _ in range(_MOST_ROUNDS):
            try:
                return parse_known(values)
            except InvalidPayload as error:
                optional = [problem for problem in error.problems if self._is_optional(problem, values)]
                if len(optional) < len(error.problems):
                    reasons += [str(problem) for problem in error.problems if problem not in optional]
                    return None
                for problem in optional:
                    self._leave_out(raw, problem, values, left_out)
        reasons.append("payload: cannot be validated")
        return None

    @staticmethod
    def _is_optional(problem: PayloadProblem, values: Mapping[str, object]) -> bool:
        field = _field_of(problem)
        return field in values and field not in _REQUIRED

    def _leave_out(
        self, raw: Row, problem: PayloadProblem, values: dict[str, object], left_out: list[LeftOut]
    ) -> None:
        field = _field_of(problem)
        attributes = values.get("attributes")
        name = problem.path.removeprefix(_ATTRIBUTE)
        if field == "attributes" and isinstance(attributes, dict) and name in attributes:
            del attributes[name]
            field = problem.path
        elif values.pop(field, None) is None:
            # An earlier problem of the same field has already taken it out.
            return
        left_out.append(self._left_out(raw, field, problem.reason))

    def _left_out(self, raw: Row, field: str, reason: str) -> LeftOut:
        columns = self._columns.get(field)
        if columns is None and field == "location":
            columns = self._columns.get("latitude", ()) + self._columns.get("longitude", ())
        columns = columns or self._columns.get("attributes", ())
        return LeftOut(field, " + ".join(columns), shown([raw.fields.get(it) for it in columns]), reason)


class _Cells:
    """The cells of one field in the rows of a file.

    `known` is what texts were read as in `column`, the field's first; of a field with several it stays empty.
    """

    __slots__ = ("_reader", "column", "columns", "field", "known")

    def __init__(self, field: str, columns: tuple[str, ...], reader: CellReader) -> None:
        self.field = field
        self.columns = columns
        self.column = columns[0]
        self.known: dict[str, object] = {"": MISSING} if len(columns) == 1 else {}
        self._reader = reader

    def read(self, fields: Mapping[str, object]) -> object:
        """Return the field's value in a row, or `MISSING`. Raises `UnreadableCell`."""
        if len(self.columns) > 1:
            return self._reader.read([fields.get(column) for column in self.columns])
        cell = fields.get(self.column)
        if cell is None:
            return MISSING
        changes = self._reader.changes
        before = changes.total() if changes else 0
        value = self._reader.read((cell,))
        # A cell that is changed is counted each time, and attributes of a row may be left out later.
        keep = not isinstance(value, dict) and not (changes and changes.total() > before)
        if keep and isinstance(cell, str) and len(cell) <= _LONGEST_KEPT and len(self.known) < _MOST_KEPT:
            self.known[cell] = value
        return value


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count:,} cells"


def _field_of(problem: PayloadProblem) -> str:
    return problem.path.partition(".")[0].partition("[")[0]
