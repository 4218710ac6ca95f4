"""Finds dates that a spreadsheet has made of codes: 1-2 has become 01-Feb, and 2/13 Feb-13."""

import re
from collections.abc import Sequence

from producers.files.values.dates import month_numbers
from worker.contract.placeholders import word_key

IS_MADE_DATE = "is a date, which a spreadsheet has made of a code such as 1-2"

_DAY_OR_YEAR = r"[0-9]{1,2}(?:[0-9]{2})?"
_DATE = re.compile(
    rf"{_DAY_OR_YEAR}[-./ ]+(?P<behind>[^\W\d_]{{3,9}})\.?|(?P<before>[^\W\d_]{{3,9}})\.?[-./ ]+{_DAY_OR_YEAR}"
)
_LETTER = re.compile(r"[^\W\d_]")


def is_made_date(text: str) -> bool:
    """Return whether a text is a day and the name of a month, or such a name and a day or year."""
    found = _DATE.fullmatch(text)
    return found is not None and word_key(found["behind"] or found["before"]) in month_numbers()


def has_no_letters(sample: Sequence[object]) -> bool:
    """Return whether most codes of a column have no letter. Where they have, MAR-02 is one of them."""
    without = sum(1 for cell in sample if not (isinstance(cell, str) and _LETTER.search(cell)))
    return without > 0 and 2 * without >= len(sample)
