"""Which names are those of several hospitals, of rows for trial, or written with codes in place of letters."""

import re
from functools import cache

from producers.files.rows.closed_names import parts_apart
from producers.files.words import fold, names_a_hospital, word_set

# "Oak Hospital; Elm Clinic", "1. Oak Hospital 2. Elm Clinic". With another sign, one may be the other's owner, or
# both be one hospital in two languages.
_SIGNS = re.compile(r"[;\u2022]")
_NUMBERS = re.compile(r"(?:^|\s)[0-9]{1,2}[.)]\s+")
# A name may have a comma, and one part of it be "General Hospital".
_FEWEST_WITH_COMMAS = 3
# Of JSON, Python and addresses on the web, and a formula of a spreadsheet.
_CODES = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}[^%]*%[0-9a-fA-F]{2}|^=[A-Z]{3,}\(")


def names_several(name: str) -> bool:
    """Return whether a name has several parts, each of which is called a hospital."""
    # First what is fast, because this runs for every row of a file.
    if _SIGNS.search(name):
        parts, fewest = _SIGNS.split(name), 2
    elif name[:1].isdigit() and _NUMBERS.match(name):
        parts, fewest = _NUMBERS.split(name), 2
    elif name.count(",") >= _FEWEST_WITH_COMMAS - 1:
        parts, fewest = name.split(","), _FEWEST_WITH_COMMAS
    else:
        return False
    parts = [part for part in parts if part.strip()]
    return len(parts) >= fewest and all(map(names_a_hospital, parts))


def is_for_trial(name: str) -> bool:
    """Return whether a name says that its row is for trial, or not to be used: "Oak Clinic (do not use)"."""
    # First what is fast, because this runs for every row of a file.
    if _trial_words(is_ascii=name.isascii()).search(name.casefold()) is None:
        return False
    words = word_set("for_trial")
    if any(fold(part) in words for part in parts_apart(name)):
        return True
    tokens = fold(name).split()
    if len(tokens) < 2:
        return False
    # "Test Valley Hospital" is a hospital.
    return (tokens[0] in words and names_a_hospital(tokens[1])) or (
        tokens[-1] in words and names_a_hospital(tokens[-2])
    )


def has_codes(name: str) -> bool:
    r"""Return whether a name has codes in place of letters, such as "Cl\u00ednica", or is a formula."""
    return ("\\" in name or "%" in name or name.startswith("=")) and _CODES.search(name) is not None


@cache
def _trial_words(*, is_ascii: bool) -> re.Pattern[str]:
    """Return a pattern of the last words of all phrases, or of those that may be in a name of ASCII alone."""
    words = {phrase.split()[-1] for phrase in word_set("for_trial")}
    return re.compile("|".join(sorted(word for word in words if word.isascii() or not is_ascii)))
