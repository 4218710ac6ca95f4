"""Rows that an import has rejected: their file is read as the list that they come from.

A few rows say other things than their list: identifiers that repeat in the list are unique among them, and their
numbers and dates may be read in several ways. So the profile of the list is kept beside its rejected rows.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from producers.files.detection.title_lines import check_lines_above
from producers.files.errors import FileError
from producers.files.opening import open_table
from producers.files.profile import Profile, read_profile
from producers.files.table import REASON_COLUMN, REJECT_COLUMNS, Dialect, RawRow, Table, Wishes, own_cells

PROFILE = "profile.toml"
"""The name of the profile that an import writes beside its rejected rows."""


def open_list(path: Path, said: Wishes, given: Profile | None) -> tuple[Table, Profile | None]:
    """Open a file, and return the profile that it is to be read by: the one `given`, or one beside rejected rows.

    `said` is what the user has said on how it is read. Raises `FileError` as `open_table` does, and for rejected
    rows without a profile, or with one that cannot be read.
    """
    wishes = said if given is None else given.wishes(said)
    beside = path.with_name(PROFILE)
    if not beside.is_file():
        found = _open_by(path, wishes, given, said)
        if given is None and _is_rejected_rows(found):
            raise FileError(
                path,
                f"has rejected rows of an import, but not beside it {PROFILE}, which says how to read them: put it "
                f"there, or give it with --profile; for a list of its own, delete {' and '.join(REJECT_COLUMNS)}",
            )
        return _rejected_again(found, given), given
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
        return _rejected_again(_rejected_again(table, given), _profile_or_none(beside)), given
    profile = read_profile(beside)
    detected, kept = table.dialect.encoding, profile.dialect.encoding
    if said.encoding is None and detected != kept and not _is_certain(detected) and not _is_certain(kept):
        # Two encodings that can read anything: the list had more letters to tell which one it is.
        return _rejected_again(open_table(path, replace(said, encoding=kept)), profile), profile
    # A spreadsheet may have saved it with another delimiter, or as a workbook.
    return _rejected_again(table, profile), profile


def digest_of(fields: Mapping[str, object]) -> str:
    """Return what shows whether a rejected row has been corrected: a digest of its own cells, by column."""
    cells = sorted(own_cells(fields).items())
    return blake2b(json.dumps(cells).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class RejectedTable:
    """Rejected rows of an import: those of the digests `unchanged` are rejected again, for the same reason.

    The rows of a list show what is none of them, such as half a row, and a few rows alone do not.
    """

    table: Table
    unchanged: frozenset[str]

    @property
    def path(self) -> Path:
        """The file."""
        return self.table.path

    @property
    def dialect(self) -> Dialect:
        """How it is read."""
        return self.table.dialect

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        return self.table.columns

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of how the file was read."""
        return self.table.notes

    @property
    def lines(self) -> int:
        """The number of lines, rows or records."""
        return self.table.lines

    def rows(self) -> Iterator[RawRow]:
        """Yield every row that is not blank. Raises `FileError` if reading fails part-way."""
        for row in self.table.rows():
            if row.problem is None and digest_of(row.fields) in self.unchanged:
                row.problem = str(row.fields.get(REASON_COLUMN) or "was rejected, and is not corrected")
            yield row


def _rejected_again(table: Table, profile: Profile | None) -> Table:
    if profile is None or not profile.unchanged or not _is_rejected_rows(table):
        return table
    return RejectedTable(table, profile.unchanged)


def _profile_or_none(path: Path) -> Profile | None:
    try:
        return read_profile(path)
    except FileError:
        return None


def _open_by(path: Path, wishes: Wishes, given: Profile | None, said: Wishes) -> Table:
    if given is None:
        return open_table(path, wishes)
    try:
        table = open_table(path, wishes)
    except FileError:
        if (other := _in_another_form(path, given, said)) is not None:
            return other
        raise
    if not given.has_names(table.columns) and (other := _in_another_form(path, given, said)) is not None:
        return other
    check_lines_above(table, given, said)
    return table


def _in_another_form(path: Path, given: Profile, said: Wishes) -> Table | None:
    """Return the table if the list of a profile comes in another format, or with another delimiter, this time."""
    try:
        table = open_table(path, replace(said, usual_encoding=given.dialect.encoding or None))
    except FileError:
        return None
    return table if given.has_names(table.columns) and given.changes_of_form(table.dialect) else None


def _by_profile(path: Path, profile: Path, said: Wishes) -> Table | None:
    # It need not be a profile.
    found = _profile_or_none(profile)
    return None if found is None else _rejected_rows(path, found.wishes(said))


def _rejected_rows(path: Path, wishes: Wishes) -> Table | None:
    try:
        table = open_table(path, wishes)
    except FileError:
        return None
    return table if _is_rejected_rows(table) else None


def _is_rejected_rows(table: Table) -> bool:
    return {*REJECT_COLUMNS} <= {*table.columns}


def _is_certain(encoding: str) -> bool:
    """Return whether text of other encodings is hardly ever readable in this one; empty for formats without any."""
    return not encoding or encoding.lower().replace("_", "-").startswith(("utf-", "ascii"))
