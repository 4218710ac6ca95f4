"""Finds out before an import whether it would store a list a second time, or mix its hospitals with others.

One delivery of a list may be identified by a column of codes, and another by name and place, because a code is
missing or repeated in it; or by codes that lost their zeros, by other codes, or by less of the place.
"""

from producers.client import HospitalProducer
from producers.files import FileError, HospitalFile
from producers.files.columns import option
from producers.files.table import REASON_COLUMN
from producers.imports import ImportStalled
from producers.previewing import Elsewhere, Preview, preview
from worker.contract import OnExisting
from worker.contract.identity import PLACE_FIELDS, name_in_identity, source_in_identity

_BY_NAME = "name and place"
# What distinguishes hospitals of one name, as `hospital_identity` has it.
_PLACE = frozenset((*PLACE_FIELDS, "external_id"))
# A list is refused if this part of it is stored under other identities. A few namesakes may be other hospitals.
_PART = 10
# One hospital may have moved into the house of another, and taken its name.
_FEWEST_MOVED = 2


async def check_identities(
    producer: HospitalProducer, file: HospitalFile, *, on_existing: OnExisting, wait_s: float
) -> list[str]:
    """Ask what would become of some rows of a file; return what a person should know of it, one sentence each.

    Raises `FileError` if most of what is stored of the list would be stored a second time or mixed with other
    hospitals, unless the user has said which column identifies them, or if a column of the profile is gone whose
    values the import would erase; `ImportStalled`, and the errors of a producer.
    """
    try:
        found = await preview(producer, file.some_rows(), on_existing=on_existing, wait_s=wait_s)
    except TimeoutError:
        raise ImportStalled(f"no worker has answered within {wait_s:g} s; start a worker") from None
    why = why_refused(file, found)
    if erased := why_erased(file, found, on_existing):
        raise FileError(file.path, f"was not loaded: {erased}")
    if why and not file.identity_is_given:
        raise FileError(file.path, f"was not loaded: {why}")
    return [*filter(None, [why]), *notes_on(file, found)]


def why_refused(file: HospitalFile, found: Preview) -> str:
    """Return why an import would store hospitals twice or mix them, and what to do; empty if it would not."""
    if _has_collided(file):
        return ""
    if _is_stored_twice(found):
        return _why_stored_twice(file, found)
    if found.lost_zeros:
        return _why_without_zeros(file, found)
    codes = " + ".join(file.columns.columns_of("external_id"))
    if found.moved >= _FEWEST_MOVED:
        return (
            f"{found.moved:,} of {found.stored:,} hospitals that are stored under the same {codes!r} would get the "
            f"name and place of others that are stored, as if {codes!r} had been counted anew; the list would be "
            "mixed with other hospitals; get the list with the codes of before; if the hospitals did move: "
            f"{option('external_id', codes)}"
        )
    if found.renamed * 2 > found.stored:
        return (
            f"{found.renamed:,} of {found.stored:,} hospitals that are stored under the same {codes!r} have other "
            "names, as if the codes had been given anew; the list would be mixed with other hospitals; "
            f"if they were renamed: {option('external_id', codes)}"
        )
    return ""


def notes_on(file: HospitalFile, found: Preview) -> list[str]:
    """Return what to say of hospitals that seem to be stored under other identities, if they are a few."""
    if _has_collided(file) or _is_stored_twice(found):
        return []
    notes = []
    if found.stored and not _PLACE.intersection(it.field for it in file.columns.mapped):
        notes.append(
            f"rows that have only a name, under which a hospital is stored already: {found.stored:,} of "
            f"{found.counts.total():,} that were looked up; each name is taken for one hospital. If they are "
            "others than those of an earlier list, give this one a --source of its own"
        )
    if found.moved:
        notes.append(
            f"hospitals that would get the name and place of another one that is stored: {found.moved:,}; check "
            "whether the list has counted its codes anew"
        )
    if not found.stored_elsewhere:
        return notes
    shown = "; ".join(_shown(it) for it in found.elsewhere)
    more = f"; and {found.stored_elsewhere - len(found.elsewhere):,} more"
    return [
        *notes,
        f"hospitals of the same name and place are stored under other identities: {found.stored_elsewhere:,}, "
        f"which are kept apart; check whether they are the same: {shown}"
        + more
        * (found.stored_elsewhere > len(found.elsewhere)),
    ]


def _is_stored_twice(found: Preview) -> bool:
    return found.stored_elsewhere > found.stored and found.stored_elsewhere * _PART >= found.counts.total()


def _has_collided(file: HospitalFile) -> bool:
    """Whether a file is of rejected rows: those in collision may have the name and place of a stored hospital."""
    return REASON_COLUMN in file.statistics


def _shown(row: Elsewhere) -> str:
    return f"line {row.line} ({row.name}) is stored as {row.hospital_id}"


def why_erased(file: HospitalFile, found: Preview, on_existing: OnExisting) -> str:
    """Return why an import would erase stored values that the list no longer has; empty if it would not."""
    if on_existing != "replace" or not file.lost or not found.stored:
        return ""
    fields = ", ".join(f"{name} (was read from {columns!r})" for name, columns in file.lost.items())
    first = next(iter(file.lost))
    return (
        f"columns of the profile are gone, and replace would erase what is stored of {found.stored:,} hospitals: "
        f"{fields}; name the column that has them now, as in {option(first, 'NEW COLUMN')}; to erase the values: "
        f"{option(first, '')}; "
        "to keep them: --on-existing merge"
    )


def _why_without_zeros(file: HospitalFile, found: Preview) -> str:
    codes = " + ".join(file.columns.columns_of("external_id"))
    example = next(it for it in found.elsewhere if it.lost_zeros)
    return (
        f"{found.lost_zeros:,} of {found.counts.total():,} hospitals are stored already under {codes!r} with other "
        f"zeros in front, and would be stored a second time: {_shown(example)}; a spreadsheet may have removed the "
        f"zeros: get the list with {codes!r} as text; if they are other hospitals: "
        f"{option('external_id', codes)}"
    )


def _why_stored_twice(file: HospitalFile, found: Preview) -> str:
    columns, local = (" + ".join(file.columns.columns_of(field)) for field in ("external_id", "local_id"))
    example = found.elsewhere[0]
    source = source_in_identity(example.hospital_id)
    if source is not None and file.source is None and not file.columns.columns_of("source"):
        return (
            f"{found.stored_elsewhere:,} of {found.counts.total():,} hospitals are stored already, of the source "
            f"{source}, and would be stored a second time without a source: {_shown(example)}; read the list with "
            f"--source {source}, or with the --profile of before; give another list a --source of its own"
        )
    were_by_name = name_in_identity(example.hospital_id) is not None
    codes = columns or local
    by_code, by_name = option("external_id", codes), option("external_id", "")
    if codes:
        by_name += f" {option('local_id', codes)}"
    before, as_before = _BY_NAME if were_by_name else "other codes", "as it was read before, with --profile"
    if columns and were_by_name:
        as_before += f" or {by_name}" if source is not None else " or without --source"
    elif columns:
        as_before = "with the codes of before: a program may have changed them, or another column has them"
    elif were_by_name:
        before = "more or less of the place or source, or by other letters of the name"
    elif local:
        before, as_before = repr(local), f"{as_before} or {by_code}"
    return (
        f"{found.stored_elsewhere:,} of {found.counts.total():,} hospitals are stored already, identified by "
        f"{before}; identified by {repr(columns) if columns else _BY_NAME}, they would be stored a second time: "
        f"{_shown(example)}; read the list {as_before}; "
        f"to store them a second time: {by_code if columns else by_name}"
    )
