"""Finds the other parts of an address that a list divides into numbered columns."""

from collections.abc import Sequence

from producers.files.columns.name_table import name_tokens

_MOST_PARTS = 9


def numbered_parts(column: str, unused: Sequence[str]) -> tuple[str, ...]:
    """Return the column and those that continue it: "Address 1", "Address 2", or "address", "address2".

    The numbers follow one another. A column that is numbered otherwise, or not continued, is returned alone.
    """
    tokens = name_tokens(column)
    numbered = bool(tokens) and tokens[-1].isdigit()
    if numbered and int(tokens[-1]) != 1:
        return (column,)
    base = tokens[:-1] if numbered else tokens
    by_number = {
        int(found[-1]): other
        for other in reversed(unused)
        if (found := name_tokens(other))[:-1] == base and found[-1].isdecimal() and len(found[-1]) == 1
    }
    parts = [column]
    for number in range(2, _MOST_PARTS + 1):
        if number not in by_number:
            break
        parts.append(by_number[number])
    return tuple(parts)
