"""Names the attributes that `--keep-others` makes of columns."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from producers.files.columns.model import ATTRIBUTE_PREFIX, Mapped
from producers.files.words import fold
from worker.contract.fields import MAX_ATTRIBUTES

_LONGEST_NAME = 64
_MOST_LISTED = 20


def keep_columns(
    others: Sequence[str], columns: Sequence[str], taken: Iterable[str], notes: list[str]
) -> list[Mapped]:
    """Map other columns to attributes, at most 50 with those of `taken`, the fields that are mapped already.

    The names are valid and different: ASCII letters, digits and `_`. A name in another script becomes `column_N`
    with its number. Notes say which column that is, and which columns do not find room.
    """
    used = {field.removeprefix(ATTRIBUTE_PREFIX) for field in taken if field.startswith(ATTRIBUTE_PREFIX)}
    room = max(0, MAX_ATTRIBUTES - len(used))
    mapped: list[Mapped] = []
    numbered: list[str] = []
    for column in others[:room]:
        number = columns.index(column) + 1
        plain = _attribute_name(column)
        name = _distinct(plain or f"column_{number}", used)
        if plain is None:
            numbered.append(f"{name} is {column}")
        used.add(name)
        mapped.append(Mapped(ATTRIBUTE_PREFIX + name, (column,), "given"))
    if len(others) > room:
        notes.append(
            f"--keep-others keeps {room} columns, because a hospital has at most {MAX_ATTRIBUTES} attributes; "
            f"left out: {', '.join(others[room : room + 20])}{' …' if len(others) > room + 20 else ''}"
        )
    if numbered:
        more = f" and {len(numbered) - _MOST_LISTED} more" if len(numbered) > _MOST_LISTED else ""
        notes.append(
            f"attributes have names of ASCII letters, so {', '.join(numbered[:_MOST_LISTED])}{more}; "
            "to name one: --map attributes.NAME=COLUMN"
        )
    return mapped


def _attribute_name(column: str) -> str | None:
    plain = unicodedata.normalize("NFKD", fold(column)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    letters = sum(character.isalpha() for character in column)
    # A few letters of a name in another script would say nothing, or the wrong thing.
    if not name or sum(character.isalpha() for character in name) * 2 < letters:
        return None
    return (name if name[0].isalpha() else f"c_{name}")[:_LONGEST_NAME].rstrip("_")


def _distinct(name: str, used: set[str]) -> str:
    if name not in used:
        return name
    number = 2
    while f"{name[: _LONGEST_NAME - 6]}_{number}" in used:
        number += 1
    return f"{name[: _LONGEST_NAME - 6]}_{number}"
