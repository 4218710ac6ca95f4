"""Rows of one name and place that differ only in what is not read, and may therefore be hospitals of their own.

A worker compares what was read of two rows. It would take such a row for a repetition, and nobody would miss it.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from producers.files.columns import Columns, advice_on_collisions, is_serial
from producers.files.statistics import ColumnStatistics
from producers.files.table import COLLISION, REASON_COLUMN
from producers.files.transposing import as_texts
from producers.files.uniqueness import FirstRows, folded
from producers.files.values import FileRow, LeftOut
from worker.contract.comparison import DISTINGUISHING_FIELDS, FURTHER_FIELDS, folded_value
from worker.contract.identity import PLACE_FIELDS, hospital_identity, is_identified_by_name
from worker.contract.known import Known

# Whatever differs is noticed; these are the columns whose names can be said.
_MOST_NAMED = 12
_MOSTLY = 0.5
_MOST_LISTED, _LONGEST_COLUMN = 5, 40
# Besides what the identity is made of.
_DISTINGUISHING = tuple(it for it in DISTINGUISHING_FIELDS if it not in ("hospital_name", *PLACE_FIELDS))
# What a worker compares also between two times of observation.
_LASTING = frozenset((*DISTINGUISHING_FIELDS, "phone"))


class Namesakes:
    """Rejects each row whose hospital is that of an earlier row by what is read, and may not be by what is not.

    Give it the rows of one pass over a file, in order: then every pass rejects the same ones. `statistics` are
    those of the file's columns. A row without an identifier takes about 70 bytes of memory, another one none.
    """

    def __init__(
        self, columns: Columns, statistics: Mapping[str, ColumnStatistics], *, source_is_given: bool
    ) -> None:
        self._columns = columns
        self._source_is_given = source_is_given
        self._has_times = bool(columns.columns_of("observed_at"))
        # Numbers and dates change from one time of observation to another, as those of a list of every month do.
        self._lasting = [
            at
            for at, name in enumerate(columns.left_out if self._has_times else ())
            if name in statistics and not any(statistics[name].share(it) > _MOSTLY for it in ("number", "date"))
        ]
        fields = {it.field.partition(".")[0] for it in columns.mapped}
        if not fields.isdisjoint(("latitude", "longitude")):
            fields.add("location")
        self._distinguishing = [field for field in _DISTINGUISHING if field in fields]
        self._further = [field for field in FURTHER_FIELDS if field in fields]
        self._firsts = FirstRows()
        # For each row its line; the hashes of what is read besides name and place, and of what is not read; whether
        # it lacks nothing that is compared; and two bytes for each column that is not read.
        self._lines, self._read, self._unread = array("q"), array("q"), array("q")
        self._complete, self._marks = bytearray(), array("H")
        # If rows have a time of observation: the hashes of it, and of what lasts of that which is not read.
        self._times, self._lasts = array("q"), array("q")
        self._named = columns.left_out[:_MOST_NAMED]
        self._differing: Counter[str] = Counter()
        self._rejected = 0
        self._first = ""
        # Rows that have a name alone, and repeat that of an earlier row.
        self._repeated_names = 0
        self._first_repeated = ""
        # Rows that are taken for an earlier row's hospital at another time, although what is not read differs.
        self._later = 0
        self._first_later = ""

    def check(self, row: FileRow) -> FileRow:
        """Return the row; if it is rejected, with the reason instead of its record."""
        known = row.known
        if known is None or not is_identified_by_name(known):
            return row
        identity = hospital_identity(known)
        # Among rows to correct, the one that it collided with is missing.
        reason = _reason_before(row, identity)
        if not reason and (holder := self._holder(row, known, identity)) is not None:
            reason = self._reject(row, identity, holder)
        return replace(row, known=None, reasons=(reason,)) if reason else row

    def notes(self) -> list[str]:
        """Return what a person should know of the rows that were rejected, or taken for repetitions, so far."""
        notes = self._notes_on_rejected()
        if self._repeated_names:
            notes.append(
                f"rows that have only a name, which an earlier row has as well: {self._repeated_names:,}, first "
                f"{self._first_repeated}; each name is taken for one hospital. If they are other hospitals, the "
                "list needs a column that tells them apart, such as their town"
            )
        if self._later:
            notes.append(
                "rows that have the name and place of an earlier row, at another time, and differ in numbers or "
                f"dates that are not read: {self._later:,}, first {self._first_later}; they are taken for the same "
                "hospital"
            )
        return notes

    def _notes_on_rejected(self) -> list[str]:
        if not self._rejected:
            return []
        names = sorted(self._differing, key=lambda name: (is_serial(name), -self._differing[name]))
        listed = ", ".join(f"{_cut(name)} ({self._differing[name]:,})" for name in names[:_MOST_LISTED])
        note = (
            f"rows that have the name and place of an earlier row, but differ from it in what is not read: "
            f"{self._rejected:,}, first {self._first}; they are not applied; what differs: {listed or 'cells'}"
        )
        if names and all(map(is_serial, names)):
            return [f"{note}. That only numbers the rows, so they are probably repetitions, and nothing is missing"]
        advice = advice_on_collisions(self._columns, source_is_given=self._source_is_given, more=names[:1])
        note += f". If they are other hospitals, ingest the rejected rows with {advice.options}"
        return [f"{note}; if that only numbers or dates the rows, they are repetitions, and nothing is missing"]

    def _holder(self, row: FileRow, known: Known, identity: str) -> int | None:
        """Take in the row; return the earlier one whose hospital it would be taken for, if it may be another."""
        texts = folded(as_texts([row.fields.get(column) for column in self._columns.left_out]))
        read = tuple([_comparable(field, known.get(field)) for field in self._further])
        index = len(self._lines)
        self._lines.append(row.line)
        self._read.append(hash(read))
        self._unread.append(hash((*texts, *((cell.field, self._whole(cell, row)) for cell in row.left_out))))
        self._complete.append(None not in read)
        self._marks.extend(hash(text) & 0xFFFF for text in texts[:_MOST_NAMED])
        distinguishing = [folded_value(known.get(field)) for field in self._distinguishing]
        key = (identity, known.get("observed_at"), *distinguishing)
        if self._has_times and (other := self._of_other_time(row, key, texts)) is not None:
            return other
        first = self._firsts.first(hash(key), index)
        told_apart = self._read[first] != self._read[index]
        complete = self._complete[first] and self._complete[index]
        if told_apart and (complete or not self._differs(first, index)):
            # A worker distinguishes it from the first row, or need not; but not from one with the same values.
            first = self._firsts.first(hash((key, read)), index)
        if self._differs(first, index):
            return first
        if first != index and all(known.get(field) is None for field in PLACE_FIELDS):
            self._repeated_names += 1
            self._first_repeated = self._first_repeated or f"line {row.line} with {self._lines[first]}"
        return None

    def _of_other_time(self, row: FileRow, key: Sequence[object], texts: Sequence[str]) -> int | None:
        """Return the first row with all but the time of this one, if its time is another and so is what lasts."""
        identity, time, *distinguishing = key
        left_out = [(cell.field, self._whole(cell, row)) for cell in row.left_out if cell.field in _LASTING]
        index = len(self._times)
        self._times.append(hash(time))
        self._lasts.append(hash((*(texts[at] for at in self._lasting), *left_out)))
        first = self._firsts.first(hash((identity, *distinguishing)), index)
        if self._times[first] == self._times[index]:
            return None
        if hash(None) in (self._times[first], self._times[index]):
            # A row without a time may be of any.
            return first if self._differs(first, index) else None
        if self._lasts[first] != self._lasts[index]:
            return first
        if self._differs(first, index):
            self._later += 1
            self._first_later = self._first_later or f"line {row.line} with {self._lines[first]}"
        return None

    def _differs(self, holder: int, index: int) -> bool:
        """Whether two rows differ in what is not read."""
        return self._unread[holder] != self._unread[index]

    def _whole(self, cell: LeftOut, row: FileRow) -> str:
        """Return the text of a cell that was left out, which is cut in the report."""
        columns = self._columns.columns_of(cell.field)
        return " ".join(str(row.fields.get(column)) for column in columns) if columns else cell.value

    def _reject(self, row: FileRow, identity: str, holder: int) -> str:
        line, width = self._lines[holder], len(self._named)
        marks, others = (self._marks[at * width : (at + 1) * width] for at in (len(self._lines) - 1, holder))
        names = [name for name, mark, other in zip(self._named, marks, others, strict=True) if mark != other]
        names += [cell.column for cell in row.left_out]
        self._rejected += 1
        self._differing.update(names)
        self._first = self._first or f"line {row.line} with {line}"
        listed = ", ".join(map(_cut, names[:_MOST_LISTED])) or "cells"
        return (
            f"{COLLISION} line {line} has the same name and place ({_code(identity)}), "
            f"and differs in what is not read: {listed}"
        )


def _comparable(field: str, value: object) -> object:
    if field == "hospital_type":
        # What a hospital has whose type is not known.
        return value or "single"
    return frozenset(value.items()) if field == "attributes" and isinstance(value, dict) else folded_value(value)


def _reason_before(row: FileRow, identity: str) -> str:
    """Return why a row was rejected in the import that it comes from, unless it has another identity by now."""
    reason = row.fields.get(REASON_COLUMN)
    if isinstance(reason, str) and reason.startswith(COLLISION) and f"({_code(identity)})" in reason:
        return reason
    return ""


def _code(identity: str) -> str:
    # A name may be written otherwise in the encoding of the rejected rows.
    return f"hospital {hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_COLUMN else f"{name[: _LONGEST_COLUMN - 1]}…"
