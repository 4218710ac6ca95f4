"""Finds the columns that `--map` and a profile name."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from producers.files.columns.model import ATTRIBUTE_PREFIX, FIELDS, ColumnError, Columns, ColumnWishes, Mapped
from producers.files.words import fold

# Each of these is one number, one point or one answer; text and identifiers can be joined.
_ONE_COLUMN = frozenset(
    (
        "beds",
        "latitude",
        "longitude",
        "location",
        "emergency_services",
        "observed_at",
        "hospital_type",
        "source",
        "attributes",
    )
)
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_MOST_LISTED = 40


def map_given(
    columns: Sequence[str], wishes: ColumnWishes, notes: list[str]
) -> tuple[dict[str, Mapped], frozenset[str]]:
    """Return the fields that the user or the profile maps, and those that shall be left out.

    Raises `ColumnError` for a field or a column that does not exist, for a column that is used twice, and if the
    hospital's name is left out.
    """
    given: dict[str, Mapped] = {}
    left_out = {field for field, column in wishes.mapping.items() if not column.strip()}
    for field, column in wishes.mapping.items():
        check_field(field)
        if field in left_out:
            continue
        given[field] = Mapped(field, find_columns(column, columns, field), "given")
    if "hospital_name" in left_out:
        raise ColumnError("--map hospital_name= leaves out the hospital's name, without which no row can be used")
    if wishes.source is not None and "source" in given:
        raise ColumnError("--source and --map source=COLUMN contradict each other; give one of them")
    _check_used_once(given.values())
    if wishes.profile is not None:
        _add_profile(wishes.profile, columns, given, left_out, notes)
        # A profile says all: what it does not name was left out on purpose.
        left_out.update(field for field in FIELDS if field not in given)
    return given, frozenset(left_out)


def check_field(field: str) -> None:
    """Raise `ColumnError` unless `field` is one that a column can be mapped to."""
    if field in FIELDS:
        return
    name = field.removeprefix(ATTRIBUTE_PREFIX)
    if name == field:
        raise ColumnError(
            f"--map names the unknown field {field!r}; fields are {', '.join(FIELDS)} and attributes.NAME"
        )
    if not _ATTRIBUTE_NAME.fullmatch(name):
        raise ColumnError(
            f"--map names the attribute {name!r}; use at most 64 letters, digits and _, beginning with a letter"
        )


def find_columns(wanted: str, columns: Sequence[str], field: str) -> tuple[str, ...]:
    """Return the columns that the right side of `--map FIELD=…` names: one, or several joined by `+`.

    A column is found by its exact name, or without regard to case, accents, blanks and punctuation if just one
    matches. Names may contain `+` themselves. Raises `ColumnError` if a column does not exist, or if the field is
    read from one column only.
    """
    found = _one_column(wanted, columns)
    if found is not None:
        return (found,)
    parts = wanted.split("+")
    several = _several_columns(parts, columns) if len(parts) > 1 else None
    if several is None:
        missing = wanted if len(parts) == 1 else next((p for p in parts if _one_column(p, columns) is None), wanted)
        # The columns of a file without a header are numbers.
        remedy = "; if the first line is a hospital already: --no-header" if missing.strip().isdigit() else ""
        raise ColumnError(f"has no column {missing.strip()!r} for --map{remedy}; its columns are {listed(columns)}")
    if len(several) > 1 and field in _ONE_COLUMN:
        raise ColumnError(f"--map {field}={wanted} names {len(several)} columns; {field} is read from one")
    if len(set(several)) < len(several):
        raise ColumnError(f"--map {field}={wanted} names a column twice")
    return several


def option(field: str, column: str) -> str:
    """Return the option that maps a field to a column, or to none, as it is typed in a shell."""
    if not column:
        return f"--map {field}="
    return f"--map {field}={column if shlex.quote(column) == column else _quoted(column)}"


class Advice(NamedTuple):
    """Why rows of different hospitals have one identity, and the options that give them other ones."""

    why: str
    options: str


def advice_on_collisions(
    columns: Columns, *, source_is_given: bool, more: Sequence[str] = (), key: Sequence[str] = ()
) -> Advice:
    """Return what to do if rows of different hospitals have one identity; `more` is what tells them apart.

    `key` are all columns of an identifier that does, if they are known.
    """
    identifier, has_source = columns.columns_of("external_id"), source_is_given or columns.columns_of("source")
    source = "" if has_source else " --source NAME"
    if identifier:
        joined = option("external_id", " + ".join(key) or f"{' + '.join(identifier)} + COLUMN")
        return Advice("their identifier is that of another row too", joined + source)
    name = columns.columns_of("hospital_name")
    more = more or columns.columns_of("address") + columns.columns_of("phone")
    joined = option("external_id", " + ".join(key or (*name, *(more or ("COLUMN",)))))
    return Advice("they have the name and place of another row", joined + source)


def listed(columns: Sequence[str]) -> str:
    """Return the names of columns for a message, at most 40 of them."""
    shown = ", ".join(repr(column) for column in columns[:_MOST_LISTED])
    return f"{shown} and {len(columns) - _MOST_LISTED} more" if len(columns) > _MOST_LISTED else shown


def _quoted(text: str) -> str:
    return f'"{text}"' if not set(text) & set('"$`\\!') else shlex.quote(text)


def _one_column(wanted: str, columns: Sequence[str]) -> str | None:
    for name in (wanted, wanted.strip()):
        if name in columns:
            return name
    folded = _folded(wanted)
    same = [column for column in columns if folded and _folded(column) == folded]
    if len(same) > 1:
        raise ColumnError(f"has several columns like {wanted!r} for --map: {listed(same)}; write one exactly")
    return same[0] if same else None


def _folded(name: str) -> str:
    return fold(name).replace(" ", "")


def _several_columns(parts: Sequence[str], columns: Sequence[str]) -> tuple[str, ...] | None:
    if not parts:
        return ()
    # The longest name first: in "A + B + C" a column "A + B" is meant.
    for count in range(len(parts), 0, -1):
        first = _one_column("+".join(parts[:count]), columns)
        if first is not None:
            rest = _several_columns(parts[count:], columns)
            if rest is not None:
                return (first, *rest)
    return None


def _check_used_once(given: Iterable[Mapped]) -> None:
    users: dict[str, str] = {}
    for mapped in given:
        for column in mapped.columns:
            if _shares_columns(mapped):
                continue
            if column in users:
                raise ColumnError(f"--map uses the column {column!r} for {users[column]} and for {mapped.field}")
            users[column] = mapped.field


def _shares_columns(mapped: Mapped) -> bool:
    """Return whether another field may be read from the same columns: a part of a key is a value of its own too."""
    return len(mapped.columns) > 1 or mapped.field.startswith(ATTRIBUTE_PREFIX)


def _add_profile(
    profile: Mapping[str, tuple[str, ...]],
    columns: Sequence[str],
    given: dict[str, Mapped],
    left_out: set[str],
    notes: list[str],
) -> None:
    taken = {column for mapped in given.values() if not _shares_columns(mapped) for column in mapped.columns}
    for field, wanted in profile.items():
        if field in given or field in left_out or taken.intersection(wanted):
            continue
        check_field(field)
        found = [_one_column(column, columns) for column in wanted]
        missing = [column for column, name in zip(wanted, found, strict=True) if name is None]
        if not missing:
            given[field] = Mapped(field, tuple(name for name in found if name is not None), "profile")
        elif field in ("hospital_name", "external_id"):
            # Without them every hospital of the list would have another identity than before.
            raise ColumnError(
                f"has no column {missing[0]!r}, which the profile reads {field} from; name the column with "
                f'--map {field}="COLUMN"; its columns are {listed(columns)}'
            )
        else:
            notes.append(f"{field}: the column {missing[0]!r} of the profile is missing, so the field is left out")
