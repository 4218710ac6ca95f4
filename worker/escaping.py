"""Text from elsewhere in a form that does nothing to a terminal.

Job ids, names and messages come from whoever can write to Redis or to MongoDB. Shown as they are, they could move
the cursor, recolour or erase what stands there, or add a line that looks like one of ours.
"""

import json
import unicodedata
from collections.abc import Callable

# Persian and Indic names need the joiners; every other character without a shape of its own could hide something.
_VISIBLE = frozenset("\u200c\u200d")
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def escape(text: str) -> str:
    r"""Return one line that moves no cursor, changes no colour and hides nothing; a line break reads `\n`."""
    return _escaped(text, lambda character: character.encode("unicode_escape").decode())


def escape_lines(text: str) -> str:
    """Return the same of a text whose line breaks are meant, such as a traceback."""
    return "\n".join(map(escape, text.split("\n")))


def escape_json(text: str) -> str:
    """Return the same of JSON, which keeps its layout and means what it meant."""
    return "\n".join(_escaped(line, _json_escape) for line in text.split("\n"))


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(
        escape(character)
        if unicodedata.category(character) in _UNSEEN_CATEGORIES and character not in _VISIBLE
        else character
        for character in text
    )


def _json_escape(character: str) -> str:
    # DEL is the one control character that Python's JSON leaves as it is.
    return json.dumps(character)[1:-1].replace("\x7f", "\\u007f")
