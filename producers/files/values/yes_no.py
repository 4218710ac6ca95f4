"""Reads yes and no in many languages, and as signs; the words are data, in `yes_no.toml`.

Decided once for a column: what a cross made of the letter x means, whether 1 and 0 are answers (beside a 2, 1 may
be the code for "yes" or for "no"), and which single letters are.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from producers.files.values.cells import MISSING, UnreadableCell, one_cell
from producers.files.values.cleaning import clean
from producers.files.values.numbers import ascii_digits, integer_text
from producers.files.values.words import table
from worker.contract.placeholders import placeholder_kind, word_key

_CROSSES = frozenset(("x", "\u0445"))  # the second is Cyrillic
# They contradict "available" and its like. In a column without these, they say that the answer is not known.
_AVAILABLE = frozenset(
    ("available", "disponible", "disponivel", "verfugbar", "متوفر", "متاح", "mevcut", "tersedia", "उपलब्ध")
)
_NOT_AVAILABLE = frozenset((
    "not available", "unavailable", "no disponible", "nao disponivel", "non disponible", "indisponible",
    "nicht verfugbar", "غير متوفر", "غير متاح", "mevcut degil", "tidak tersedia",
    "उपलब्ध नहीं",
))  # fmt: skip


@cache
def _answers() -> dict[str, bool]:
    words = table("yes_no")
    answers: dict[str, bool] = {}
    for answer, name, signs in ((True, "yes", "yes_signs"), (False, "no", "no_signs")):
        answers.update((word_key(word), answer) for word in words[name])
        answers.update((sign, answer) for sign in words[signs])
    return answers


@dataclass(frozen=True, slots=True)
class YesNoStyle:
    """How a column answers: the words that are answers in this column beside those that always are."""

    yes: frozenset[str] = frozenset()
    no: frozenset[str] = frozenset()


def yes_no_style(sample: Sequence[object]) -> YesNoStyle:
    """Decide from a sample of the column which letters, crosses and numbers are answers."""
    unchanged: Counter[str] = Counter()
    keys = {_key(text) for text in (_text(cell, unchanged) for cell in sample) if text}
    answers: dict[str, bool] = {}
    letters = {key for key in keys if len(key) == 1 and "a" <= key <= "z"} - _CROSSES
    for pair in table("yes_no")["letters"]:
        if _is_used(pair, letters, beside_crosses=bool(keys & _CROSSES)):
            answers.setdefault(pair[0], True)
            answers.setdefault(pair[1], False)
    if not {key for key in keys if key.isdecimal()} - {"0", "1"}:
        answers |= {"1": True, "0": False}
    # A cross beside circles or words for yes is a no; a column of nothing but crosses is ticked with them.
    known = _answers() | answers
    said = {known[key] for key in keys - _CROSSES if key in known}
    if len(said) == 1 or not keys - _CROSSES:
        answers |= dict.fromkeys(_CROSSES, True not in said)
    if keys & _AVAILABLE:
        answers |= dict.fromkeys(_NOT_AVAILABLE, False)
    return YesNoStyle(
        frozenset(word for word, answer in answers.items() if answer),
        frozenset(word for word, answer in answers.items() if not answer),
    )


def _is_used(pair: str, letters: set[str], *, beside_crosses: bool) -> bool:
    """Return whether a column with these single letters answers with a pair of letters such as `yn`."""
    yes, no = pair[0], pair[1]
    if pair == "yn" and yes in letters:
        # Y and N are clear, whatever other letters stand beside them, such as a U for "unknown".
        return True
    clear = yes in table("yes_no")["clear_letters"]
    return letters <= {yes, no} and (clear or (yes in letters and (no in letters or beside_crosses)))


class YesNoReader:
    """Reads the yes and no of a column by its style."""

    def __init__(self, style: YesNoStyle) -> None:
        self.changes: Counter[str] = Counter()
        self._answers = _answers() | dict.fromkeys(style.yes, True) | dict.fromkeys(style.no, False)

    def read(self, cells: Sequence[object]) -> object:
        """Return True or False, or `MISSING`. Raises `UnreadableCell`."""
        cell = one_cell(cells)
        return cell if isinstance(cell, bool) else self._answer(_text(cell, self.changes))

    def _answer(self, text: str) -> object:
        if not text:
            return MISSING
        key = _key(text)
        answer = self._answers.get(key)
        if answer is None:
            # A triangle has no letters either, but says "partly" and not "unknown".
            if placeholder_kind(text) is not None and not any(map(_is_symbol, text)):
                return MISSING
            raise UnreadableCell("is neither yes nor no")
        return answer


def _text(cell: object, changes: Counter[str]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return clean(cell, changes).removesuffix(".0")
    return str(cell) if isinstance(cell, bool) else integer_text(cell) or type(cell).__name__


def _is_symbol(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character) in ("So", "Sm")


def _key(text: str) -> str:
    """Return the form in which an answer is compared: its word, or the sign itself if there is no word."""
    return word_key(ascii_digits(text)) or text
