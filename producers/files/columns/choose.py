"""Decides which column of a file is which field."""

import re
from collections.abc import Mapping, Sequence

from producers.files.columns.addresses import AddressParts
from producers.files.columns.angle_parts import angle_parts, on_angle_parts
from producers.files.columns.assignment import Contradiction, assign, worth_a_note
from producers.files.columns.attributes import keep_columns
from producers.files.columns.beds import on_larger_beds, on_unread_beds
from producers.files.columns.content import contradiction, has_postal_towns
from producers.files.columns.cut_names import on_cut_names
from producers.files.columns.headerless import certain_fields, has_no_header, on_unread, with_first_values
from producers.files.columns.hospital_names import like_names, on_other_names, surely_names
from producers.files.columns.identifiers import find_identifiers, on_identifiers, repeated
from producers.files.columns.mapping import listed, map_given, option
from producers.files.columns.marked_names import on_marked_names
from producers.files.columns.model import FIELDS, ColumnError, Columns, ColumnWishes, Mapped, Why
from producers.files.columns.names import identifier_cost
from producers.files.columns.people import names_of_people, on_people
from producers.files.columns.places import (
    drop_half_position,
    drop_second_position,
    on_unread_positions,
    pairs_of_coordinates,
)
from producers.files.columns.same_names import SameNames, on_beds
from producers.files.columns.sideways import refuse_what_is_no_header
from producers.files.columns.statistics_of_areas import refuse_statistics
from producers.files.columns.swapped import exchanged_names
from producers.files.columns.telephones import on_parts, telephone_parts
from producers.files.columns.years import on_years
from producers.files.statistics import ColumnStatistics
from producers.files.words import names_a_hospital

# How the readers call a column whose name is blank.
_WITHOUT_NAME = re.compile(r"column [0-9]+")
_OWN_NAME = "external_id"
_POSITION = frozenset(("location", "latitude", "longitude"))
# Without any of these, rows of one name cannot be told to be different hospitals.
_WHICH = _POSITION | {"external_id", "local_id", "address", "city", "county", "state", "country", "postal_code"}


def choose_columns(
    columns: Sequence[str], statistics: Mapping[str, ColumnStatistics], wishes: ColumnWishes
) -> Columns:
    """Return the column of each field: as the user says, else by name, where the content does not contradict it.

    `statistics` are those of the columns over the whole file. No column is used for two fields, except as one of
    several that a field is joined from. Raises `ColumnError` if the user names a field or column that does not
    exist, if no column has the hospital's name, or if an identifier is given without a source.
    """
    return _Choice(list(dict.fromkeys(columns)), statistics, wishes).columns()


class _Choice:
    """The fields that have a column so far, and the notes on them. The methods are called in their order."""

    def __init__(
        self, columns: Sequence[str], statistics: Mapping[str, ColumnStatistics], wishes: ColumnWishes
    ) -> None:
        self._columns = columns
        self._statistics = statistics
        self._wishes = wishes
        self._notes: list[str] = []
        self._are_beds_alike = False
        self._mapped, self._left_out = map_given(columns, wishes, self._notes)
        self._people = {} if "hospital_name" in self._mapped else names_of_people(columns, statistics)
        self._no_names = self._people | exchanged_names(columns, statistics)

    def columns(self) -> Columns:
        """Decide, and return what was decided."""
        self._note_doubtful_columns_given()
        self._note_source_column()
        contradictions = self._assign_by_name()
        self._find_names(contradictions)
        self._find_position()
        self._note_contradictions(contradictions)
        self._find_certain_fields()
        candidates = self._identify()
        self._note_names_alone()
        self._note_other_names()
        self._note_years()
        self._note_beds()
        if not _POSITION & {*self._mapped, *self._left_out}:
            self._notes += on_unread_positions(self._unused(), self._statistics)
        mapped = sorted(self._mapped.values(), key=_order)
        if self._wishes.keep_others:
            others = [column for column in self._unused() if self._is_filled(column)]
            mapped += keep_columns(others, self._columns, self._mapped, self._notes)
        used = {column for it in mapped for column in it.columns}
        # Who gives columns by number has seen them.
        if has_no_header(self._columns) and not self._wishes.mapping and self._wishes.profile is None:
            self._notes += on_unread([it for it in self._columns if it not in used], self._statistics)
        return Columns(
            mapped=tuple(mapped),
            left_out=tuple(column for column in self._columns if column not in used),
            candidates=candidates,
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _unused(self, *, parts: bool = False) -> list[str]:
        """Return the columns that no field uses; `parts`: or that are one of several of a field."""
        # A part of a key, such as the country, is also a field of its own.
        used = {
            column for it in self._mapped.values() if not (parts and len(it.columns) > 1) for column in it.columns
        }
        return [column for column in self._columns if column not in used]

    def _is_filled(self, column: str) -> bool:
        return column not in self._statistics or self._statistics[column].filled > 0

    def _wanted(self) -> list[str]:
        unwanted = {*self._mapped, *self._left_out, "external_id"}
        if self._wishes.source is not None:
            unwanted.add("source")
        if "location" in self._mapped:
            unwanted |= _POSITION
        elif _POSITION & self._mapped.keys():
            unwanted.add("location")
        return [field for field in FIELDS if field not in unwanted]

    def _note_doubtful_columns_given(self) -> None:
        for field, it in self._mapped.items():
            known = self._statistics.get(it.columns[0]) if len(it.columns) == 1 else None
            reason = None if known is None else contradiction(field, known)
            if reason is not None:
                self._notes.append(f"{field} {reason}; it is read from {it.columns[0]} as given")

    def _note_source_column(self) -> None:
        """Say why a column that names sources is not read although `--source` is given."""
        if self._wishes.source is None or "source" in self._left_out:
            return
        assigned, contradictions = assign(self._unused(), self._statistics, ("source",))
        for column in assigned.values():
            known = self._statistics.get(column)
            if known is not None and any(str(value) != self._wishes.source for value in known.values):
                self._notes.append(
                    f"{column} names sources (first: {known.first}), but is not used because --source is given"
                )
        for found in worth_a_note(contradictions, assigned, ()):
            self._notes.append(f"{found.column} {found.reason}, so it is not used as the source")

    def _assign_by_name(self) -> list[Contradiction]:
        same = SameNames(self._columns, self._statistics)
        beds = same.beds(self._unused(parts=True)) if "beds" in self._wanted() else []
        columns = [column for column in self._unused(parts=True) if column not in beds]
        assigned, contradictions = assign(columns, self._statistics, self._wanted(), self._no_names)
        if beds and "beds" not in assigned:
            self._are_beds_alike = True
            self._notes.append(on_beds(beds))
        drop_second_position(assigned, self._statistics)
        self._mapped |= {field: Mapped(field, (column,), "name") for field, column in assigned.items()}
        self._share_postal_towns()
        self._join_telephone()
        self._join_angles()
        if "address" in assigned:
            self._join_address(assigned["address"])
        self._notes += same.notes(assigned, self._unused())
        return contradictions

    def _share_postal_towns(self) -> None:
        """Read both the city and the postal code from a column that has both, unless one has its own."""
        for field, other in (("city", "postal_code"), ("postal_code", "city")):
            columns = self._mapped[field].columns if field in self._mapped else ()
            known = self._statistics.get(columns[0]) if len(columns) == 1 else None
            if other in self._wanted() and known is not None and has_postal_towns(known):
                self._mapped[other] = Mapped(other, columns, "content")
                self._notes.append(
                    f"{columns[0]} has a postal code and a town in most cells: both are read from it; "
                    f"to leave one out: --map {other}="
                )

    def _join_telephone(self) -> None:
        phone = self._mapped.get("phone")
        if (phone is not None and phone.why != "name") or "phone" in self._left_out:
            return
        used = phone.columns[0] if phone is not None else None
        free = [it for it in self._columns if it == used or it in self._unused()]
        parts = telephone_parts(free, self._statistics, used)
        if parts:
            self._mapped["phone"] = Mapped("phone", parts, "name")
            self._notes.append(on_parts(parts))

    def _join_angles(self) -> None:
        for axis in ("latitude", "longitude"):
            parts, known = angle_parts(axis, self._columns), self._mapped.get(axis)
            is_free = axis in self._wanted() if known is None else known.why == "name" and known.columns[0] in parts
            if parts and is_free:
                self._mapped[axis] = Mapped(axis, parts, "name")
                self._notes.append(on_angle_parts(axis, parts))

    def _join_address(self, column: str) -> None:
        unused = [other for other in self._unused() if other in self._statistics and self._is_filled(other)]
        found = AddressParts(column, self._columns, unused, self._statistics)
        self._notes += found.notes
        if len(found.columns) > 1:
            self._mapped["address"] = Mapped("address", found.columns, "name")
            self._notes.append(
                f"address is joined from {', '.join(found.columns)}; "
                f"to read one of them only: {option('address', column)}"
            )

    def _find_names(self, contradictions: Sequence[Contradiction]) -> None:
        if "hospital_name" in self._mapped:
            (name, *more), why = self._mapped["hospital_name"].columns, self._mapped["hospital_name"].why
            if why == "name" and not more and self._wishes.profile is None:
                refuse_what_is_no_header(name, self._columns, self._statistics)
                refuse_statistics(name, self._columns, self._statistics)
            return
        refused = next((found for found in contradictions if found.field == "hospital_name"), None)
        column = None
        if refused is None or not self._is_filled(refused.column) or refused.column in self._people:
            column = surely_names(self._unused(), self._statistics)
        if column is None:
            raise ColumnError(self._no_name(refused))
        self._mapped["hospital_name"] = Mapped("hospital_name", (column,), "content")
        self._notes.append(
            f"{column} contains names of hospitals and is used as hospital_name; "
            "to use another column: --map hospital_name=COLUMN"
        )

    def _no_name(self, refused: Contradiction | None) -> str:
        problem = "has no column for the hospital's name"
        if refused is not None:
            problem += f": hospital_name {refused.reason}, so {refused.column!r} is not used"
        if any(map(_WITHOUT_NAME.fullmatch, self._columns)):
            problem += "; if the columns are named in a later line: --skip-rows N"
        likely = next(iter(like_names(self._columns, self._statistics)), None)
        if likely is None and refused is not None:
            problem += f"; if it is the name all the same: {option('hospital_name', refused.column)}"
        elif likely is None:
            problem += '; choose it with --map hospital_name="COLUMN"'
        elif names_a_hospital(likely):
            # Without a header, the first hospital would be lost if its own name were given as the column.
            number = self._columns.index(likely) + 1
            problem += (
                f"; if the first line is a hospital already: --no-header --map hospital_name={number}; "
                f"if it is the header: {option('hospital_name', likely)}"
            )
        else:
            problem += f"; {likely} looks like the name: {option('hospital_name', likely)}"
        return f"{problem}; its columns are {self._listed()}"

    def _listed(self) -> str:
        # Columns of a file without a header are numbers, which say nothing without a value.
        if has_no_header(self._columns):
            return with_first_values(self._columns, self._statistics)
        return listed(self._columns)

    def _find_position(self) -> None:
        self._notes += drop_half_position(self._mapped, self._left_out, self._unused(), self._statistics)
        if "location" not in self._wanted() or _POSITION & self._mapped.keys():
            return
        column = pairs_of_coordinates(self._unused(), self._statistics)
        if column is not None:
            self._mapped["location"] = Mapped("location", (column,), "content")
            self._notes.append(
                f"{column} contains both coordinates and is used as location; to leave it out: --map location="
            )

    def _find_certain_fields(self) -> None:
        if self._wishes.profile is not None or not has_no_header(self._columns):
            return
        for field, column in certain_fields(self._unused(), self._statistics).items():
            if field in self._wanted():
                self._mapped[field] = Mapped(field, (column,), "content")
                self._notes.append(f"{column} can only be {field}; to leave it out: {option(field, '')}")

    def _note_contradictions(self, contradictions: Sequence[Contradiction]) -> None:
        settled = {*self._mapped, *self._left_out}
        if _POSITION & settled:
            settled |= _POSITION
        used = {column for it in self._mapped.values() for column in it.columns}
        for found in worth_a_note(contradictions, settled, used):
            known = self._statistics[found.column]
            if found.field not in _POSITION and contradiction("location", known) is None:
                # A position is not an address, of course; it is not used because other columns have the position.
                continue
            if found.field == "source":
                consequence = "is left out; to say whose list this is: --source NAME"
            else:
                consequence = f"is not used as {found.field}"
            self._notes.append(f"{found.column} {found.reason}, so it {consequence}")

    def _identify(self) -> tuple[str, ...]:
        """Map the identifier if there is one, and return the columns that may be it, best first."""
        has_source = self._wishes.source is not None or "source" in self._mapped
        if _OWN_NAME in self._unused() and has_source and "external_id" not in {*self._mapped, *self._left_out}:
            # The list is in this registry's own form, as its rejects are; its word needs no proof.
            self._mapped["external_id"] = Mapped("external_id", (_OWN_NAME,), "name")
        if "external_id" in self._mapped:
            return self._check_identifier_given(self._mapped["external_id"].columns, has_source=has_source)
        if "external_id" in self._left_out:
            return ()
        source = next((it.columns[0] for it in self._mapped.values() if it.field == "source"), None)
        found = find_identifiers(self._unused(), self._statistics, source_column=source)
        if found.candidates and has_source:
            self._mapped["external_id"] = Mapped("external_id", (found.candidates[0],), "name")
        elif found.local is not None and "local_id" not in {*self._mapped, *self._left_out}:
            # Hospitals of one name at one place are still told apart.
            why: Why = "content" if identifier_cost(found.local) is None else "name"
            self._mapped["local_id"] = Mapped("local_id", (found.local,), why)
        self._notes += on_identifiers(found, has_source=has_source, given_source=self._wishes.source is not None)
        return found.candidates

    def _note_names_alone(self) -> None:
        columns = self._mapped["hospital_name"].columns
        known = self._statistics.get(columns[0])
        if len(columns) == 1 and known is not None and known.unique is False and not _WHICH & self._mapped.keys():
            source = "" if self._wishes.source is not None or "source" in self._mapped else " --source NAME"
            self._notes.append(
                f"{columns[0]} repeats in rows that differ, and no column that is read says where a hospital is, "
                "so each name is taken for one hospital; to tell more apart: "
                f'--map external_id="{columns[0]} + COLUMN"{source}'
            )

    def _note_other_names(self) -> None:
        chosen = self._mapped["hospital_name"]
        self._notes += on_people(self._people, chosen.columns[0])
        if len(chosen.columns) == 1 and chosen.columns[0] in self._statistics:
            known = self._statistics[chosen.columns[0]]
            self._notes += [*on_cut_names(chosen.columns[0], known), *on_marked_names(chosen.columns[0], known)]
        if chosen.why == "name":
            others = [column for column in self._unused() if column not in self._no_names]
            self._notes += on_other_names(chosen.columns[0], others, self._statistics)

    def _note_beds(self) -> None:
        beds = self._mapped.get("beds")
        if beds is not None and beds.why == "name":
            self._notes += on_larger_beds(beds.columns[0], self._unused(), self._statistics)
        elif "beds" in self._wanted() and not self._are_beds_alike:
            self._notes += on_unread_beds(self._unused(), self._statistics)

    def _note_years(self) -> None:
        identifier = next(
            (self._mapped[it].columns for it in ("external_id", "local_id") if it in self._mapped), ()
        )
        if len(identifier) == 1:
            self._notes += on_years(identifier[0], self._unused(), self._statistics)

    def _check_identifier_given(self, columns: tuple[str, ...], *, has_source: bool) -> tuple[str, ...]:
        if not has_source:
            raise ColumnError(
                f"external_id is read from {' + '.join(columns)}, but an identifier has a meaning only together "
                "with its source; say whose list this is: --source NAME"
            )
        if len(columns) > 1:
            return ()
        known = self._statistics.get(columns[0])
        source = self._mapped.get("source")
        # Each source has its own identifiers.
        if known is not None and (source is None or source.columns[0] not in known.unique_with):
            note = repeated(columns[0], known, used=True)
            self._notes += [note] if note is not None else []
        return columns


def _order(mapped: Mapped) -> tuple[int, str]:
    return (FIELDS.index(mapped.field) if mapped.field in FIELDS else len(FIELDS), mapped.field)
