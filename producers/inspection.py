"""`Inspection`: what an import of a file would find in its rows, without a server."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from producers.files import FileRow, HospitalFile
from worker.contract import OnExisting
from worker.contract.comparison import (
    ALL_READ,
    FURTHER_FIELDS,
    content_differences,
    distinguishing_key,
    further_differences,
)
from worker.contract.identity import hospital_identity, is_identified_by_name, normalise_name
from worker.contract.known import Known

_SINGLE = hash("single")
_PARTS = 64
_SHOWN = 5
_MOST_REASONS = 1_000
# What a reason says of one row: its cells, which it quotes, and other lines.
_OF_ROW = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d[\d,.]*")
_USABLE, _UNREAD, _COLLIDES, _REPEATS = range(4)


@dataclass(slots=True)
class FieldFindings:
    """One field: in how many rows it is known, an example, and what cannot be read."""

    filled: int = 0
    example: str = ""
    left_out: int = 0
    first_reason: str = ""


@dataclass(slots=True)
class Inspection:
    """The rows of one file.

    `rejected` rows have no record; `reasons` counts why, by kind: what a reason quotes of its row is left out.
    `collisions` have the identity of an earlier row, but may be other hospitals; `repeated` rows have it too, and
    say the same or less;
    `differing` ones are of the same hospital, and say something else, such as another number of beds.
    `first` are the first collisions: a line, the line it collides with. `by_id` rows are identified by the list's
    identifier.
    """

    rows: int = 0
    rejected: int = 0
    collisions: int = 0
    repeated: int = 0
    differing: int = 0
    by_id: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    fields: dict[str, FieldFindings] = field(default_factory=dict)
    first: list[tuple[int, int]] = field(default_factory=list)
    first_rejected: list[tuple[int, str]] = field(default_factory=list)
    marks: bytearray = field(default_factory=bytearray)

    @property
    def usable(self) -> int:
        """The rows that an import would send to the registry as the first ones of their hospitals."""
        return self.rows - self.rejected - self.collisions - self.repeated - self.differing

    def usable_rows(self, file: HospitalFile) -> Iterator[FileRow]:
        """Yield the usable rows. Raises `FileError` if reading fails part-way."""
        for mark, row in zip(self.marks, file.rows(), strict=False):
            if mark == _USABLE and row.known is not None:
                yield row


class _Further:
    """What `further_differences` compares in the rows without an identifier, as hashes."""

    def __init__(self, file: HospitalFile) -> None:
        fields = {it.field.partition(".")[0] for it in file.columns.mapped}
        self._hashes = {field: array("q") for field in (*FURTHER_FIELDS, "observed_at") if field in fields}
        # Few sets of fields differ, and each row has the number of its own.
        self._unread = array("i")
        self._numbers = {ALL_READ: 0}

    def add(self, row: FileRow) -> None:
        """Take the next row."""
        known = row.known
        self._unread.append(self._numbers.setdefault(row.unread_fields, len(self._numbers)))
        by_name = known is not None and is_identified_by_name(known)
        for name, hashes in self._hashes.items():
            value = known.get(name) if known is not None and by_name else None
            if isinstance(value, str):
                value = normalise_name(value)
            elif isinstance(value, Mapping):
                value = frozenset(value.items())
            hashes.append(0 if value is None else hash(value) or 1)

    def differ(self, holder: int, index: int, *, whole: bool) -> bool:
        """Whether the row at `index` may be another hospital than the one at `holder`, by these fields."""
        unread = [*self._numbers][self._unread[index]]
        return bool(further_differences(self._at(holder), self._at(index), whole=whole, unread=unread))

    def _at(self, index: int) -> Known:
        known: dict[str, object] = {}
        for name, hashes in self._hashes.items():
            if found := hashes[index]:
                known[name] = {"": found} if name == "attributes" else found
        if known.get("hospital_type") == _SINGLE:
            # Unknown is the same.
            del known["hospital_type"]
        return known


def inspect_file(
    file: HospitalFile, on_progress: Callable[[int], None], *, on_existing: OnExisting = "keep"
) -> Inspection:
    """Read and validate every row, as an import does. Raises `FileError` if reading fails part-way.

    Besides what `file.rows` takes, it takes 37 bytes of memory for each row, and 8 for each further field by which
    rows without an identifier are compared: they are compared by their 64-bit hashes. If identities repeat,
    it reads the file once more, and keeps the rows that have them.
    """
    found = Inspection()
    further = _Further(file)
    identities, keys, lines = array("q"), array("q"), array("q")
    for row in file.rows():
        found.rows += 1
        if row.known is None:
            found.rejected += 1
            found.marks.append(_UNREAD)
            _count_reasons(found.reasons, row.reasons)
            if len(found.first_rejected) < _SHOWN:
                found.first_rejected.append((row.line, "; ".join(row.reasons)))
        else:
            found.marks.append(_USABLE)
        _count_fields(found.fields, row)
        known = row.known
        if known is not None and "external_id" in known:
            found.by_id += 1
        identities.append(0 if known is None else hash(hospital_identity(known)) or 1)
        keys.append(0 if known is None else hash(distinguishing_key(known)))
        further.add(row)
        lines.append(row.line)
        if found.rows % 1_000 == 0:
            on_progress(row.line)

    def collide(holder: int, index: int) -> bool:
        whole = on_existing == "replace"
        return keys[index] != keys[holder] or further.differ(holder, index, whole=whole)

    holders = _find_collisions(found, identities, lines, collide)
    if holders:
        found.differing = _differing(file, holders, whole=on_existing == "replace")
        found.repeated -= found.differing
    return found


def _differing(file: HospitalFile, holders: Mapping[int, int], *, whole: bool) -> int:
    """Return how many rows say something else than the earlier row that has their identity, by their indexes."""
    wanted, kept = {*holders.values()}, dict[int, Known]()
    differing = 0
    for index, row in enumerate(file.rows()):
        if row.known is None:
            continue
        if index in wanted:
            kept[index] = row.known
        elif (holder := holders.get(index)) is not None:
            unread = row.unread_fields
            differing += bool(content_differences(kept[holder], row.known, whole=whole, unread=unread))
    return differing


def _count_reasons(counts: Counter[str], reasons: Sequence[str]) -> None:
    for reason in reasons:
        kind = _OF_ROW.sub("\u2026", reason)
        counts[kind if kind in counts or len(counts) < _MOST_REASONS else "other reasons"] += 1


def _count_fields(fields: dict[str, FieldFindings], row: FileRow) -> None:
    if row.known is not None:
        for name, value in _values(row.known):
            findings = fields.setdefault(name, FieldFindings())
            findings.filled += 1
            if not findings.example:
                findings.example = str(value)[:100]
    for cell in row.left_out:
        findings = fields.setdefault(cell.field, FieldFindings())
        findings.left_out += 1
        if not findings.first_reason:
            findings.first_reason = f"{cell.value!r} {cell.reason} (line {row.line})"


def _values(known: Known) -> Iterator[tuple[str, object]]:
    for name, value in known.items():
        if name == "attributes":
            yield from ((f"attributes.{key}", it) for key, it in value.items())
        elif name == "location":
            longitude, latitude = value["coordinates"]
            yield name, f"{latitude:g}, {longitude:g}"
        else:
            yield name, value


def _find_collisions(
    found: Inspection, identities: "array[int]", lines: "array[int]", collide: Callable[[int, int], bool]
) -> dict[int, int]:
    """Mark the rows that have the identity of an earlier one; return the earlier row of each repetition."""
    repeats: dict[int, int] = {}
    # In parts, because a dictionary of all identities would take ten times the memory of the arrays.
    parts = [array("q") for _ in range(_PARTS)]
    for index, identity in enumerate(identities):
        if identity:
            parts[identity % _PARTS].append(index)
    for part in parts:
        holders: dict[int, int] = {}
        for index in part:
            holder = holders.setdefault(identities[index], index)
            if holder == index:
                continue
            if collide(holder, index):
                found.collisions += 1
                found.marks[index] = _COLLIDES
                found.first.append((lines[index], lines[holder]))
            else:
                found.repeated += 1
                found.marks[index] = _REPEATS
                repeats[index] = holder
        found.first = sorted(found.first)[:_SHOWN]
    return repeats
