"""Reads names of columns that are put together of words of one kind, in any order: "capacidad_camas", "x_gis"."""

from producers.files.columns.name_table import name_table, name_tokens

# Worse than any name of the table: other words may be left out of it for a reason.
_COST = 38
_AXES = frozenset(("latitude", "longitude"))


def fields_of_word_set(column: str) -> dict[str, int]:
    """Return the field that the words of a name make together, and its cost.

    Beds with words of capacity are beds; one axis with words of positions is that axis. One word that is not known
    may mean something else, as in "ICU bed capacity".
    """
    words = name_table().words
    # In Spanish, "y" is a word that says nothing.
    tokens = [token for token in name_tokens(column) if token not in words["stop"] or _axis(token)]
    if len(tokens) < 2:
        return {}
    if sum(token in words["bed"] for token in tokens) == 1 and words["bed"] | words["capacity"] >= {*tokens}:
        return {"beds": _COST}
    axes = [token for token in tokens if _axis(token)]
    if len(axes) == 1 and all(token in words["position"] for token in tokens if token not in axes):
        return {_axis(axes[0]): _COST}
    return {}


def _axis(token: str) -> str:
    """Return the axis of a position that a word is the name of, or nothing."""
    fields = name_table().fields.get(token, {})
    return min(fields, key=lambda field: fields[field]) if fields and fields.keys() <= _AXES else ""
