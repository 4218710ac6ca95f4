"""The profile of a list: all that was decided on how to read it, for its next delivery. A TOML file."""

import codecs
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from producers.files.errors import FileError
from producers.files.table import Dialect, FileFormat, Wishes
from producers.files.words import fold
from worker.contract.fields import Source
from worker.contract.validation import parse
from worker.errors import InvalidPayload

_VERSION = 1
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: FileFormat
    encoding: str = ""
    delimiter: str = ""
    skip_rows: Annotated[int, Field(ge=0)] = 0
    header: bool = True
    sheet: str = ""
    records: str = ""
    is_part_chosen: bool = False


class _Stored(BaseModel):
    """What a profile's file may contain."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Annotated[int, Field(ge=_VERSION, le=_VERSION)]
    source: Source | None = None
    file: _File
    strict: bool = False
    unchanged: list[str] = []
    all_columns: list[str]
    columns: dict[str, list[str]]
    values: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a list is read.

    `columns` has the columns of each field, `values` what was decided on their cells, and `all_columns` the columns
    that the list had, so that a later delivery can be compared. `strict`: a row with an optional cell that cannot
    be read is invalid. `unchanged`, for rejected rows: the digests of those that are not rows of the list.
    """

    dialect: Dialect
    source: str | None
    all_columns: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    values: Mapping[str, str]
    strict: bool = False
    unchanged: frozenset[str] = frozenset()

    def wishes(self, said: Wishes) -> Wishes:
        """Return what a table is to be opened with: what the user has `said`, else as the profile says."""
        dialect = self.dialect
        delimited = dialect.format == "csv"
        sheeted = dialect.format == "workbook"
        wishes = Wishes(
            format=dialect.format,
            usual_encoding=dialect.encoding or None,
            delimiter=dialect.delimiter if delimited else None,
            skip_rows=dialect.skip_rows if delimited or sheeted else None,
            header=dialect.header if delimited or sheeted else None,
            sheet=dialect.sheet or None,
            records=dialect.records if dialect.format == "json" else None,
            is_part_found=not (dialect.is_part_chosen or said.sheet is not None or said.records is not None),
        )
        return replace(wishes, **{name: wish for name, wish in asdict(said).items() if wish is not None})

    def has_names(self, columns: Iterable[str]) -> bool:
        """Whether a table with these columns has those that the hospitals' names are read from."""
        return {*map(fold, self.columns.get("hospital_name", ()))} <= {*map(fold, columns)}

    def changes_of_form(self, dialect: Dialect) -> list[str]:
        """Return what is different in the format of a later delivery of the list; one sentence each."""
        known = self.dialect
        if dialect.format != known.format:
            return [f"the format was {known.format} and is {dialect.format} now"]
        if dialect.format == "csv" and dialect.delimiter != known.delimiter:
            return [f"the delimiter was {known.delimiter!r} and is {dialect.delimiter!r} now"]
        return []

    def changes(self, columns: tuple[str, ...], dialect: Dialect) -> list[str]:
        """Return what is different in a later delivery of the list, read like this; one sentence each."""
        # Columns are found without regard to case and punctuation.
        before, now = ({fold(it) or it: it for it in names} for names in (self.all_columns, columns))
        found = self.changes_of_form(dialect)
        known, encoding = self.dialect.encoding, dialect.encoding
        if known and encoding and codecs.lookup(known).name != codecs.lookup(encoding).name:
            found.append(f"the encoding was {known} and is {encoding} now")
        if gone := [before[name] for name in before if name not in now]:
            found.append(f"columns that the profile knows are gone: {_listed(gone)}")
        if fresh := [now[name] for name in now if name not in before]:
            found.append(f"columns that the profile does not know: {_listed(fresh)}")
        return found


def read_profile(path: Path) -> Profile:
    """Return the profile in the file at `path`. Raises `FileError` for one that cannot be read."""
    try:
        return parse_profile(path.read_text(encoding="utf-8"), path)
    except OSError as error:
        raise FileError(path, f"the profile cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FileError(path, f"is not a profile, which is a TOML file: {error}") from None


def parse_profile(text: str, path: Path) -> Profile:
    """Return the profile that a text contains; `path` is what messages name. Raises `FileError`."""
    try:
        stored = parse(_Stored, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise FileError(path, f"is not a profile, which is a TOML file: {error}") from None
    except InvalidPayload as error:
        raise FileError(path, f"is not a profile of this version: {error.problems[0]}") from None
    return Profile(
        dialect=Dialect(**stored.file.model_dump()),
        source=stored.source,
        all_columns=tuple(stored.all_columns),
        columns={field: tuple(columns) for field, columns in stored.columns.items()},
        values=stored.values,
        strict=stored.strict,
        unchanged=frozenset(stored.unchanged),
    )


def write_profile(path: Path, profile: Profile, *, of: str = "this list") -> None:
    """Write the profile to a new file, or over another profile; `of` says what is read so.

    Raises `FileError` if it cannot be written.
    """
    if path.exists():
        # Anything else is not replaced.
        read_profile(path)
    try:
        path.write_text(profile_text(profile, of=of), encoding="utf-8")
    except OSError as error:
        raise FileError(path, f"the profile cannot be written: {error.strerror}") from None


def profile_text(profile: Profile, *, of: str = "this list") -> str:
    """Return the content of a profile's file; `of` says what is read so."""
    return "".join(_lines(profile, of))


def _lines(profile: Profile, of: str) -> Iterator[str]:
    yield f"# How hospital-producer reads {of}. Use it with: hospital-producer ingest FILE --profile THIS\n"
    yield f"version = {_VERSION}\n"
    if profile.source is not None:
        yield f"source = {_value(profile.source)}\n"
    if profile.strict:
        yield "strict = true\n"
    if profile.unchanged:
        yield "# Rows that are rejected again as long as they are not corrected.\n"
        yield f"unchanged = {_value(sorted(profile.unchanged))}\n"
    yield "# The columns that the list had, to report what has changed.\n"
    yield f"all_columns = {_value(list(profile.all_columns))}\n"
    file = {name: value for name, value in asdict(profile.dialect).items() if name != "compression"}
    columns = {field: list(columns) for field, columns in profile.columns.items()}
    for title, entries in (("file", file), ("columns", columns), ("values", profile.values)):
        yield f"\n[{title}]\n"
        for name, value in entries.items():
            yield f"{name if _BARE_KEY.fullmatch(name) else _value(name)} = {_value(value)}\n"


def _value(value: Any) -> str:
    # JSON's texts, numbers, booleans and lists are TOML's as well, except for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
