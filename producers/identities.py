"""Finds out before an import whether it would store a list a second time, under other identities.

One delivery of a list may be identified by a column of codes, and another by name and place, because a code is
missing or repeated in it.
"""

from itertools import islice

from producers.client import HospitalProducer
from producers.files import HospitalFile
from producers.files.columns import option
from producers.previewing import Preview, preview
from worker.contract import MAX_CHUNK_RECORDS

_BY_NAME = "name and place"


async def preview_first_rows(producer: HospitalProducer, file: HospitalFile, *, wait_s: float) -> Preview:
    """Return what would become of a file's first rows, or nothing if its hospitals have no other identity.

    Raises `TimeoutError` if no worker answers within `wait_s` seconds, and the errors of a producer.
    """
    has_source = file.source is not None or file.columns.columns_of("source")
    if not has_source or not (file.columns.columns_of("external_id") or file.columns.columns_of("local_id")):
        return Preview()
    records = (row.known for row in file.rows() if row.known is not None)
    return await preview(producer, islice(records, MAX_CHUNK_RECORDS), on_existing="keep", wait_s=wait_s)


def why_stored_twice(file: HospitalFile, found: Preview) -> str:
    """Return why an import would store most hospitals a second time, and what to do; empty if it would not."""
    if not found.stores_twice:
        return ""
    columns = file.columns.columns_of("external_id")
    codes = " + ".join(columns or file.columns.columns_of("local_id"))
    by_code, by_name = option("external_id", codes), f"{option('external_id', '')} {option('local_id', codes)}"
    before, now = (_BY_NAME, repr(codes)) if columns else (repr(codes), _BY_NAME)
    as_before, anew = (by_name, by_code) if columns else (by_code, by_name)
    return (
        f"{found.stored_otherwise:,} of {found.counts.total():,} hospitals are stored already, identified by "
        f"{before}; identified by {now}, they would be stored a second time; read the list as it was read before, "
        f"with --profile or {as_before}; to store them a second time: {anew}"
    )
