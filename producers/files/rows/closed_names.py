"""Which names say that their hospital is closed: "CLOSED - Oak Hospital", "Elm Clinic (closed 2017)"."""

import re
from collections.abc import Sequence

from producers.files.words import fold, word_set

_SIGN = re.compile(r"[()\[\]{}\uff08\uff09\u3010\u3011:;*/\u2013\u2014-]")
# What stands apart from the rest of a name.
_APART = re.compile(r"[()\[\]{}\uff08\uff09\u3010\u3011:;*]|\s[-\u2013\u2014/]\s|^[-\u2013\u2014]|[-\u2013\u2014]$")
_DATE = re.compile(r"\b(?:in|since|on|as of|en|el|le|am|seit|dal|od)?\s*[0-9][0-9./ -]*$")


def parts_apart(name: str) -> Sequence[str]:
    """Return the parts of a name that brackets and dashes set apart, the whole name if there are none."""
    # First what is fast, because this runs for every row of a file.
    if _SIGN.search(name) is None or _APART.search(name) is None:
        return (name,)
    return [part.strip() for part in _APART.split(name) if part.strip()]


def is_called_closed(name: str) -> bool:
    """Return whether a part of a name that stands apart says so, alone or with a date."""
    if _SIGN.search(name) is None:
        return False
    parts = parts_apart(name)
    return len(parts) > 1 and any(fold(_DATE.sub("", part)) in word_set("closed") for part in parts)
