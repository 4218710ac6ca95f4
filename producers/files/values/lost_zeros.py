"""Notices plain numbers that are shorter than the others of their column: a spreadsheet has removed their zeros."""

from collections import Counter
from collections.abc import Sequence

# Numbers that count have any length; codes of so many digits have one.
_SHORTEST = {"postal_code": 4, "external_id": 6, "local_id": 6}
_MOST, _NEARLY_ALL = 0.5, 0.9


def lost_zeros(field: str, sample: Sequence[object]) -> str:
    """Return a note if most cells of a field are numbers of one length and others are a digit shorter, else ""."""
    texts = [str(cell).strip() for cell in sample]
    numbers = [text for text in texts if text.isascii() and text.isdecimal()]
    if len(numbers) < _NEARLY_ALL * len(texts):
        return ""
    lengths = Counter(map(len, numbers))
    most = max(lengths, default=0)
    shorter = [text for text in numbers if len(text) == most - 1]
    if (
        most <= _SHORTEST[field]
        or not shorter
        or lengths[most] < _MOST * len(numbers)
        or lengths[most] + len(shorter) < _NEARLY_ALL * len(numbers)
        or any(text.startswith("0") for text in shorter)
    ):
        return ""
    return (
        f"{field}: some numbers have {most - 1} digits, such as {shorter[0]}, and most have {most}; if a "
        "spreadsheet has removed their leading zeros, these cannot be restored: get the list with it as text"
    )
