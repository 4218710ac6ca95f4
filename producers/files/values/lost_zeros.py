"""Notices plain numbers that are shorter than the others of their column: a spreadsheet has removed their zeros."""

from collections import Counter
from collections.abc import Sequence

# Numbers that count have any length; codes of so many digits have one.
_SHORTEST = {"postal_code": 4, "external_id": 6, "local_id": 6}
_MOST, _NEARLY_ALL = 0.5, 0.9
# The states of the USA all of whose ZIP codes begin with a single 0.
_ZIPS_FROM_ZERO = {
    *("ct", "ma", "me", "nh", "nj", "ri", "vt"),
    *("connecticut", "massachusetts", "maine", "new hampshire", "new jersey", "rhode island", "vermont"),
}


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


def lost_zip_zeros(codes: Sequence[object], states: Sequence[object]) -> str:
    """Return a note if most postal codes of states whose ZIP codes begin with 0 have four digits, else ""."""
    texts = [str(cell).strip() for cell in codes]
    short = [text for text in texts if len(text) == 4 and text.isascii() and text.isdecimal() and text[0] != "0"]
    of_these_states = sum(str(state).strip().lower() in _ZIPS_FROM_ZERO for state in states)
    if not (short and states) or len(short) < _MOST * len(texts) or of_these_states < _NEARLY_ALL * len(states):
        return ""
    return (
        f"postal_code: ZIP codes of these states begin with 0, and most have four digits, such as {short[0]}; a "
        "spreadsheet has removed the zeros: get the list with them as text"
    )
