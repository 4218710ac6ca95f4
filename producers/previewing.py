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

_IN_FLIGHT = 4
# A person reads no more.
_MOST_SHOWN = 100


class Elsewhere(NamedTuple):
    """A row whose hospital seems to be stored under another identity: its line, its name, and that identity."""

    line: int
    name: str
    hospital_id: str


@dataclass(slots=True)
class Preview:
    """How many rows would be created, merged, kept and so on.

    `stored` rows have a stored hospital of the identity that the file gives them. Of the others, the hospitals of
    `stored_elsewhere` rows seem to be stored under other identities; `elsewhere` has up to a hundred of these rows.
    `renamed` rows would change a hospital of their code that has another name.
    """

    counts: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    stored_elsewhere: int = 0
    elsewhere: list[Elsewhere] = field(default_factory=list)
    renamed: int = 0


async def preview(
    producer: HospitalProducer, rows: Iterable[FileRow], *, on_existing: OnExisting, wait_s: float
) -> Preview:
    """Return what would become of the rows, each of which has a record. Changes nothing.

    `wait_s` is how long to wait for a worker. Raises `TimeoutError` and the errors of a producer.
    """
    found = Preview()
    groups = _groups(rows)

    async def ask() -> None:
        for group in groups:
            receipt = await producer.enqueue(
                PREVIEW_HOSPITALS, PreviewHospitals(records=[row.known for row in group], on_existing=on_existing)
            )
            outcome = await receipt.outcome(wait_s)
            found.counts.update(outcome.statuses)
            found.stored += outcome.stored
            found.renamed += outcome.renamed
            found.stored_elsewhere += len(outcome.stored_elsewhere)
            for it in outcome.stored_elsewhere[: _MOST_SHOWN - len(found.elsewhere)]:
                row = group[it.index]
                found.elsewhere.append(Elsewhere(row.line, str((row.known or {})["hospital_name"]), it.hospital_id))

    # The caller closes the producer if one of them fails, which ends the others.
    await asyncio.gather(*(ask() for _ in range(_IN_FLIGHT)))
    found.elsewhere.sort()
    return found


def _groups(rows: Iterable[FileRow]) -> Iterator[list[FileRow]]:
    remaining = iter(rows)
    while group := list(islice(remaining, MAX_CHUNK_RECORDS)):
        yield group
