"""Makes untrusted text safe to show in a terminal.

Job ids, names and messages come from any program that can write to Redis or MongoDB. Shown unchanged, they could
move the cursor, recolour or erase text on the screen, or add a line that looks like output of this program.
"""

import json
import unicodedata
from collections.abc import Callable

# Persian and Indic names need these two. Every other character that is invisible on its own could hide something.
_JOINERS = frozenset("\u200c\u200d")
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def escape(text: str) -> str:
    r"""Return one line that cannot move the cursor, change colours or hide text; a line break becomes `\n`."""
    return _escaped(text, lambda character: character.encode("unicode_escape").decode())


def escape_lines(text: str) -> str:
    """Escape `text` but keep its line breaks, as a traceback needs it."""
    return "\n".join(map(escape, text.split("\n")))


def escape_json(text: str) -> str:
    """Escape JSON text. Its layout and its meaning stay the same."""
    return "\n".join(_escaped(line, _json_escape) for line in text.split("\n"))


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(
        escape(character)
        if unicodedata.category(character) in _INVISIBLE_CATEGORIES and character not in _JOINERS
        else character
        for character in text
    )


def _json_escape(character: str) -> str:
    # DEL is the one control character that Python's JSON does not escape.
    return json.dumps(character)[1:-1].replace("\x7f", "\\u007f")
