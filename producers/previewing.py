"""Asks the registry what an import would do."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from producers.client import HospitalProducer
from producers.files import FileRow
from worker.contract import MAX_CHUNK_RECORDS, PREVIEW_HOSPITALS, OnExisting
from worker.contract.imports import PreviewHospitals
from worker.contract.known import Known

_IN_FLIGHT = 4
# A person reads no more.
_MOST_SHOWN = 100


class Elsewhere(NamedTuple):
    """A row whose hospital seems to be stored under another identity: its line, its name, and that identity.

    `lost_zeros`: the identities are codes of one source that differ in zeros in front.
    """

    line: int
    name: str
    hospital_id: str
    lost_zeros: bool


@dataclass(slots=True)
class Preview:
    """How many rows would be created, merged, kept and so on.

    `stored` rows have a stored hospital of the identity that the file gives them. Of the others, the hospitals of
    `stored_elsewhere` rows seem to be stored under other identities; `elsewhere` has up to a hundred of these rows.
    `lost_zeros` of them have codes that differ from the stored ones in zeros in front. `renamed` rows would change
    a hospital of their code that has another name, `moved` rows one that would then be like another stored one.
    """

    counts: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    stored_elsewhere: int = 0
    elsewhere: list[Elsewhere] = field(default_factory=list)
    lost_zeros: int = 0
    renamed: int = 0
    moved: int = 0


async def preview(
    producer: HospitalProducer, rows: Iterable[FileRow], *, on_existing: OnExisting, wait_s: float
) -> Preview:
    """Return what would become of the rows, each of which has a record. Changes nothing.

    `wait_s` is how long to wait for a worker. Raises `TimeoutError` and the errors of a producer.
    """
    found = Preview()
    shown: list[Elsewhere] = []
    groups = _groups(rows)

    async def ask() -> None:
        for group in groups:
            request = PreviewHospitals(
                records=[row.known for row in group],
                on_existing=on_existing,
                unread=[sorted(row.unread_fields) for row in group] if any(row.left_out for row in group) else [],
            )
            receipt = await producer.enqueue(PREVIEW_HOSPITALS, request)
            outcome = await receipt.outcome(wait_s)
            found.counts.update(outcome.statuses)
            found.stored += outcome.stored
            found.renamed += outcome.renamed
            found.moved += outcome.moved
            found.stored_elsewhere += len(outcome.stored_elsewhere)
            for it in outcome.stored_elsewhere:
                row = group[it.index]
                known = row.known or {}
                lost_zeros = _differ_in_zeros(known, it.hospital_id)
                found.lost_zeros += lost_zeros
                shown.append(Elsewhere(row.line, str(known["hospital_name"]), it.hospital_id, lost_zeros))

    # The caller closes the producer if one of them fails, which ends the others.
    await asyncio.gather(*(ask() for _ in range(_IN_FLIGHT)))
    # Those that are refused come first.
    found.elsewhere = sorted(sorted(shown, key=lambda it: (not it.lost_zeros, it.line))[:_MOST_SHOWN])
    return found


def _differ_in_zeros(known: Known, hospital_id: str) -> bool:
    source, _, stored = hospital_id.partition(":")
    code = known.get("external_id")
    if known.get("source") != source or not isinstance(code, str):
        return False
    return code != stored and _without_zeros(code) == _without_zeros(stored)


def _without_zeros(code: str) -> str:
    # A spreadsheet that takes a code for a number may also write it with a fraction.
    return code.removesuffix(".0").lstrip("0")


def _groups(rows: Iterable[FileRow]) -> Iterator[list[FileRow]]:
    remaining = iter(rows)
    while group := list(islice(remaining, MAX_CHUNK_RECORDS)):
        yield group
