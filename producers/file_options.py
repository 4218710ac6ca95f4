"""The options that say how a file is to be read, shared by all commands that read one."""

from pathlib import Path
from typing import Annotated

import typer

from producers.commands.support import pairs
from producers.files.columns.model import ColumnWishes
from producers.files.hospitals import FileWishes
from producers.files.profile import read_profile
from producers.files.table import FileFormat, Wishes
from producers.files.values import DateOrder, ValueWishes
from worker.shared_options import takes

_Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help="read FIELD from COLUMN, or from 'COLUMN + COLUMN'; FIELD= leaves it out; repeatable",
    ),
]
_DELIMITERS = {"tab": "\t", "\\t": "\t"}


def file_wishes(  # noqa: PLR0913  # a parameter for each option
    *,
    source: Annotated[
        str | None, typer.Option(help="source of the list, such as cms; enables the list's own identifiers")
    ] = None,
    mapping: _Mapping = None,
    keep_others: Annotated[
        bool, typer.Option("--keep-others", help="keep every other column as an attribute")
    ] = False,
    file_format: Annotated[FileFormat | None, typer.Option("--format", help="default: detected")] = None,
    encoding: Annotated[str | None, typer.Option(help="such as utf-8 or cp1252; default: detected")] = None,
    delimiter: Annotated[str | None, typer.Option(help="one character, or tab; default: detected")] = None,
    skip_rows: Annotated[int | None, typer.Option(min=0, help="lines above the header; default: detected")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="whether there is a header; default: detected")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="sheet of a workbook; default: the one with the list")] = None,
    records: Annotated[
        str | None, typer.Option(help="where the list is in a JSON document, such as data.items")
    ] = None,
    date_order: Annotated[
        DateOrder | None, typer.Option(help="order of 03/04/2024; default: decided by column")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="of dates without offset, such as Europe/Paris")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="reject a row if one of its optional cells cannot be read")
    ] = False,
    profile: Annotated[
        Path | None, typer.Option(help="read the list as this profile says, which inspect --save has written")
    ] = None,
) -> FileWishes:
    """Return what these options say. What is given takes precedence over the profile. Raises `FileError`."""
    reading = Wishes(
        format=file_format,
        encoding=encoding,
        delimiter=delimiter if delimiter is None else _DELIMITERS.get(delimiter, delimiter),
        skip_rows=skip_rows,
        header=header,
        sheet=sheet,
        records=records,
    )
    wishes = FileWishes(
        reading=reading,
        columns=ColumnWishes(
            mapping=pairs("--map", mapping, may_be_empty=True), source=source, keep_others=keep_others
        ),
        values=ValueWishes(date_order=date_order, timezone=timezone),
        strict=strict,
    )
    return wishes if profile is None else wishes.by_profile(read_profile(profile))


takes_file_options = takes(file_wishes, argument="wishes")
"""Gives a command the options of a file. It gets what they say as the argument `wishes`."""
