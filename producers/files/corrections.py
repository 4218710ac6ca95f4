"""Rows that an import has rejected: their file is read as the list that they come from.

A few rows say other things than their list: identifiers that repeat in the list are unique among them, and their
numbers and dates may be read in several ways. So the profile of the list is kept beside its rejected rows.
"""

from dataclasses import replace
from pathlib import Path

from producers.files.detection.title_lines import check_lines_above
from producers.files.errors import FileError
from producers.files.opening import open_table
from producers.files.profile import Profile, read_profile
from producers.files.table import REJECT_COLUMNS, Table, Wishes

PROFILE = "profile.toml"
"""The name of the profile that an import writes beside its rejected rows."""


def open_list(path: Path, said: Wishes, given: Profile | None) -> tuple[Table, Profile | None]:
    """Open a file, and return the profile that it is to be read by: the one `given`, or one beside rejected rows.

    `said` is what the user has said on how it is read. Raises `FileError` as `open_table` does, and for rejected
    rows with a profile that cannot be read.
    """
    wishes = said if given is None else given.wishes(said)
    beside = path.with_name(PROFILE)
    if not beside.is_file():
        return _open_by(path, wishes, given, said), given
    table = _rejected_rows(path, wishes)
    if table is None and given is not None:
        # The list had another form, such as lines above its header.
        table = _rejected_rows(path, said)
    if table is None:
        # What is plain in a list may be in doubt in a few of its rows: the encoding, and whether there is a header.
        table = _by_profile(path, beside, said)
    if table is None:
        return _open_by(path, wishes, given, said), given
    if given is not None:
        return table, given
    profile = read_profile(beside)
    detected, kept = table.dialect.encoding, profile.dialect.encoding
    if said.encoding is None and detected != kept and not _is_certain(detected) and not _is_certain(kept):
        # Two encodings that can read anything: the list had more letters to tell which one it is.
        return open_table(path, replace(said, encoding=kept)), profile
    # A spreadsheet may have saved it with another delimiter, or as a workbook.
    return table, profile


def _open_by(path: Path, wishes: Wishes, given: Profile | None, said: Wishes) -> Table:
    table = open_table(path, wishes)
    if given is not None:
        check_lines_above(table, given, said)
    return table


def _by_profile(path: Path, profile: Path, said: Wishes) -> Table | None:
    try:
        wishes = read_profile(profile).wishes(said)
    except FileError:
        # It need not be a profile.
        return None
    return _rejected_rows(path, wishes)


def _rejected_rows(path: Path, wishes: Wishes) -> Table | None:
    try:
        table = open_table(path, wishes)
    except FileError:
        return None
    return table if {*REJECT_COLUMNS} <= {*table.columns} else None


def _is_certain(encoding: str) -> bool:
    """Return whether text of other encodings is hardly ever readable in this one; empty for formats without any."""
    return not encoding or encoding.lower().replace("_", "-").startswith(("utf-", "ascii"))
