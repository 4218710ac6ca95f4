"""Notices that a delivery of a list has other lines above its header than the profile skips."""

from producers.files.errors import FileError
from producers.files.opening import open_table
from producers.files.profile import Profile
from producers.files.table import Table, Wishes
from producers.files.words import fold


def check_lines_above(table: Table, profile: Profile, said: Wishes) -> None:
    """Raise `FileError` if a table lacks columns of the profile that its file has below other lines.

    The table was opened by the profile and by what the user has `said`.
    """
    if table.dialect.format not in ("csv", "workbook") or said.skip_rows is not None or said.header is not None:
        return
    wanted = {fold(column) for columns in profile.columns.values() for column in columns}
    if not profile.dialect.header or wanted <= {*map(fold, table.columns)}:
        return
    wishes = profile.wishes(said)
    try:
        found = open_table(table.path, Wishes(format=wishes.format, encoding=wishes.encoding, sheet=wishes.sheet))
    except FileError:
        return
    now, before = found.dialect.skip_rows, profile.dialect.skip_rows
    if now != before and found.dialect.header and len(wanted & {*map(fold, found.columns)}) * 2 > len(wanted):
        raise FileError(
            table.path,
            f"the lines above the header have changed: the profile skips {before}, but the header is now below "
            f"{now}; if that is right: --skip-rows {now}",
        )
