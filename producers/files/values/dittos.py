"""Ditto marks: "idem", 〃 and the like, which stand for the value of the row above."""

from functools import cache

from producers.files.values.words import table

_INITIALS = 2
IS_DITTO = "means the value of the row above, which has none"


@cache
def dittos() -> frozenset[str]:
    """Return the cells that are ditto marks, in every case that is common.

    Signs belong to them: "-do-" and "do." are marks, and "Do" may be a place.
    """
    words = table("words")["dittos"]
    # Initials with points are written so alone: "S.O." may be anybody's.
    plain = [word for word in words if word.count(".") < _INITIALS]
    return frozenset(
        (*words, *(form for word in plain for form in (word.upper(), word.capitalize(), word.title())))
    )


@cache
def surely_dittos() -> frozenset[str]:
    """Return those that are nothing else in any field: "Id." among states is Idaho."""
    return dittos() - {"id.", "Id.", "ID."}
