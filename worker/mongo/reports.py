"""Describes the records that were not applied, within a limit of characters for one chunk."""

from collections.abc import Iterable
from typing import cast

from worker.contract import ChunkOutcome, Difference, IngestStatus, NotApplied, RecordStatus, Rejection
from worker.contract.comparison import FieldDifference, collision_differences, content_differences
from worker.contract.outcomes import Value
from worker.mongo.chunk_rows import Holder, Row
from worker.mongo.client import Document

# The longest text of a report; nearly all names, addresses and attributes are shorter.
LONGEST_VALUE = 200
# An outcome is kept in Redis for as long as results are, so it must stay far below the size of its job.
MAX_CHARACTERS = 2_000_000
# What a field or a record adds besides its texts.
_OVERHEAD = 40


class ChunkReport:
    """What became of the records of a chunk: one status each, and details of those that were not applied."""

    def __init__(self, rejections: Iterable[Rejection], *, whole: bool) -> None:
        """`whole` means that the records were to replace the whole content of stored hospitals."""
        self._whole = whole
        self._rejections = list(rejections)
        self._statuses: dict[int, RecordStatus] = {rejection.index: "rejected" for rejection in self._rejections}
        self._not_applied: list[NotApplied] = []
        self._characters_left = MAX_CHARACTERS
        self._shortened = False

    def rejected(self, row: Row, problem: str) -> None:
        """Note a record that MongoDB refused."""
        self._statuses[row.position] = "rejected"
        self._rejections.append(Rejection(index=row.position, problems=[problem]))

    def collision(self, row: Row, holder: Holder) -> None:
        """Note a row whose identity another row of the import has."""
        self._statuses[row.position] = "collision"
        found = collision_differences(holder.known, row.known, whole=self._whole, unread=row.unread)
        # A line is known to whoever reads the file; an index only to the sender of the chunk.
        if holder.line is not None:
            other = f"line {holder.line}"
        elif holder.position is not None:
            other = f"record {holder.position} of the same chunk"
        else:
            other = "the stored hospital"
        self._explain(row, f"collision: {other} has the same identity and differs in {_names(found)}")
        self._add(row, found, holder)

    def settled(self, row: Row, status: IngestStatus, hospital: Document | None) -> None:
        """Note any other row, after it was applied or compared with the stored hospital."""
        self._statuses[row.position] = status
        if status in ("created", "merged", "replaced", "same") or hospital is None:
            return
        found = content_differences(hospital, row.known, whole=self._whole, unread=row.unread)
        if status == "conflict":
            self._explain(row, f"conflict: the identity is stored for another hospital; {_names(found)} differ")
        self._add(row, found, None)

    def outcome(self, records: int, token: str | None) -> ChunkOutcome:
        """Return the outcome of a chunk of so many records."""
        return ChunkOutcome(
            statuses=[self._statuses[index] for index in range(records)],
            rejections=sorted(self._rejections, key=lambda rejection: rejection.index),
            not_applied=sorted(self._not_applied, key=lambda each: each.index),
            shortened=self._shortened,
            token=token,
        )

    def _explain(self, row: Row, problem: str) -> None:
        self._rejections.append(Rejection(index=row.position, problems=[problem]))

    def _add(self, row: Row, found: Iterable[FieldDifference], holder: Holder | None) -> None:
        described = describe(found)
        hospital_id = _cut(row.hospital_id)
        size = len(hospital_id) + _OVERHEAD
        size += sum(_size(difference) for difference in described)
        if size > self._characters_left:
            self._shortened = True
            return
        self._characters_left -= size
        self._not_applied.append(
            NotApplied(
                index=row.position,
                hospital_id=hospital_id,
                line=row.line,
                other_index=holder.position if holder else None,
                other_line=holder.line if holder else None,
                differences=described,
            )
        )


def describe(found: Iterable[FieldDifference]) -> list[Difference]:
    """Return the differences as an outcome has them: long texts are cut, coordinates are text."""
    return [Difference(field=each.field, stored=_value(each.stored), given=_value(each.given)) for each in found]


def _value(value: object) -> Value:
    if isinstance(value, dict):
        longitude, latitude = value["coordinates"]
        return f"{latitude},{longitude}"
    if isinstance(value, str):
        return _cut(value)
    return cast(Value, value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _size(difference: Difference) -> int:
    texts = (difference.stored, difference.given)
    return _OVERHEAD + len(difference.field) + sum(len(text) for text in texts if isinstance(text, str))


def _names(found: Iterable[FieldDifference]) -> str:
    return ", ".join(each.field for each in found)
