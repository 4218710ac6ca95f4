"""Which texts of a row say that it is not a hospital: totals, counts, statistics, remarks, and marks before a text.

The words are data, in `words.toml` of the package for values. Texts are compared as `fold` leaves them.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Literal

from producers.files.values.words import table
from producers.files.words import fold, names_a_hospital

Mark = Literal["footnote", "section", "number"]
"""What stands before the text of a row: `*` or `1)`, `IV` or `B.`, or a number of up to three digits."""

_LONGEST = 100
_MOST_WORDS = 4
_WORDS_KEPT = 50_000
# Nouns that are counted with a word of their own.
_COUNTED_IN_CHINESE = re.compile(r"共? ?\d+ ?(?:[家所個个間间]|か所|箇所|개소|곳)(?:[医醫病]?院|机构|機構|施設)?")
_FOOTNOTE_MARK = re.compile(r"[*†‡※§#]+\)?|[¹²³⁴-⁹]+|[(\[]?(?:\d{1,2}|[^\W\d_])[)\]]", re.IGNORECASE)
_SECTION_MARK = re.compile(r"(?:[IVXL]{1,6}|[A-Z\u0410-\u042f]|[一二三四五六七八九十]{1,3}|[①-⑳])[.、)]?")
_NUMBER_OR_WORD = re.compile(r"\d+|[^\W\d]+")
_NUMBER_MARK = re.compile(r"\d{1,3}[.)]?")
_PERCENT = re.compile(r"\((?:in )?%\)|%$")


def may_say_so(text: str) -> bool:
    """Return what is fast to know: whether a text begins or ends with a word of those that are looked for here."""
    words = text.split()
    first, last = (words[0], words[-1]) if words else ("", "")
    # Every row has another code or number, so these are not remembered.
    return ((first.isalpha() or not (first.isascii() and first.isalnum())) and _is_edge(first)) or (
        last is not first and not last.isdigit() and _is_edge(last)
    )


def is_summary(text: str) -> bool:
    """Return whether a text is or has the word for a total, or counts hospitals."""
    return is_total_word(text) or is_count(text) or (has_total_word(text) and not names_a_hospital(text))


def is_total_word(text: str) -> bool:
    """Return whether a text is the word for a total and nothing else."""
    return len(text) <= _LONGEST and fold(text) in _words("totals")


def has_total_word(text: str) -> bool:
    """Return whether a text has more words than one for a total, with which it begins or ends."""
    tokens = fold(text).split()
    if len(text) > _LONGEST or " ".join(tokens) in _words("totals"):
        # The word alone is not a name, whatever else the row has.
        return False
    edges = (side for count in range(1, _MOST_WORDS) for side in (tokens[:count], tokens[-count:]))
    return any(" ".join(side) in _words("totals") for side in edges) or (
        bool(tokens) and tokens[-1].endswith(_joined("totals"))
    )


def is_total_of(text: str, area: str) -> bool:
    """Return whether a text is the word for a total and the name of an area, as `fold` leaves it, and no more."""
    whole = f" {fold(text)} "
    return any(
        whole.removesuffix(f" {area} ").strip() == word or whole.removeprefix(f" {area} ").strip() == word
        for word in _words("totals")
    )


def is_count(text: str) -> bool:
    """Return whether a text counts hospitals and says no more: "10 hospitals", "Number of hospitals: 10"."""
    if len(text) > _LONGEST:
        return False
    tokens = _NUMBER_OR_WORD.findall(fold(text))
    known = _words("totals") | _words("counting")
    # "Bệnh viện số 5" is a name.
    counts = tokens[:1] != [] and (tokens[0].isdigit() or any(" ".join(it) in known for it in _beginnings(tokens)))
    return (counts and "counted" in _kinds(tokens)) or _COUNTED_IN_CHINESE.fullmatch(text.strip()) is not None


def kinds_of_count(text: str) -> frozenset[str]:
    """Return of which lists of words a text is that only counts: "Total", "Number of hospitals"; none of others."""
    return frozenset() if len(text) > _LONGEST else _kinds(_NUMBER_OR_WORD.findall(fold(text)))


def is_statistic(text: str) -> bool:
    """Return whether a text begins as a row of statistics does ("of which"), or ends with a sign of percent."""
    if len(text) > _LONGEST:
        return False
    return (
        _PERCENT.search(text) is not None
        or fold(text) in _words("statistics_alone")
        or _begins(text, "statistics") is not None
    )


def is_remark(text: str, *, leads: bool) -> bool:
    """Return whether a text says where a list is from or who made it: "Source:", "Prepared by", "Page 1 of 3".

    `leads`: it is in the first filled cell of its row, so that it needs no colon behind it.
    """
    label, colon, _ = text.replace("\uff1a", ":").partition(":")
    if len(label) > _LONGEST or not (colon or leads):
        return False
    begins = _begins(label, "remarks")
    if colon:
        return begins is not None or fold(label) in _words("footnotes") | _words("legends")
    if begins is None or names_a_hospital(label):
        return fold(label) in _words("footnotes")
    # A name may begin with a word alone, as that of the town Side.
    return bool(begins) or label.split()[1:2] == [] or label.split()[1][0].isdigit()


def begins_legend(text: str) -> bool:
    """Return whether a text that stands alone in its row is the heading of explanations."""
    label = text.strip().rstrip(":\uff1a")
    return len(label) <= _LONGEST and fold(label) in _words("legends")


def names_an_area(text: str) -> bool:
    """Return whether a text begins or ends with a word such as "region"."""
    tokens = fold(text).split()
    return bool(tokens) and not _words("areas").isdisjoint((tokens[0], tokens[-1]))


def mark_of(text: str) -> Mark | None:
    """Return what kind of mark a text is, or None."""
    if _NUMBER_MARK.fullmatch(text):
        return "footnote" if text.endswith(")") else "number"
    if _SECTION_MARK.fullmatch(text):
        return "section"
    return "footnote" if _FOOTNOTE_MARK.fullmatch(text) else None


@lru_cache(maxsize=_WORDS_KEPT)
def _is_edge(word: str) -> bool:
    tokens = fold(word).split()
    if not tokens:
        return "%" in word
    return (
        not _edges().isdisjoint((tokens[0], tokens[-1]))
        or "%" in word
        or tokens[-1].endswith(_joined("totals"))
        or tokens[0].startswith((*_joined("statistics"), *_joined("remarks")))
        or (word[-1].isalpha() and not word.isascii() and any(map(str.isdigit, word)))
    )


@cache
def _edges() -> frozenset[str]:
    """Return the first and the last words of all phrases."""
    kinds = (
        "totals",
        "counted",
        "counting",
        "statistics",
        "statistics_alone",
        "remarks",
        "footnotes",
        "legends",
        "areas",
    )
    phrases = [it.split() for kind in kinds for it in _words(kind)]
    return frozenset(word for phrase in phrases for word in (phrase[0], phrase[-1]))


def _begins(text: str, kind: str) -> bool | None:
    """Return whether a text begins with a phrase of two words or more, or with one word; None: with neither."""
    tokens = fold(text).split()
    counts = [len(it) for it in _beginnings(tokens) if " ".join(it) in _words(kind)]
    if counts:
        return max(counts) > 1
    return True if tokens and tokens[0].startswith(_joined(kind)) else None


def _beginnings(tokens: Sequence[str]) -> Sequence[Sequence[str]]:
    return [tokens[:count] for count in range(1, min(_MOST_WORDS, len(tokens)) + 1)]


def _kinds(tokens: Sequence[str]) -> frozenset[str]:
    """Return of which lists of words the tokens are, numbers aside; none if there is another word."""
    found = set()
    at = 0
    while at < len(tokens):
        sides = [(count, " ".join(tokens[at : at + count])) for count in range(_MOST_WORDS, 0, -1)]
        kinds = ("counted", "totals", "counting", "fillers")
        hit = next(((count, it) for count, side in sides for it in kinds if side in _words(it)), None)
        if hit is None and not tokens[at].isdigit():
            return frozenset()
        if hit is not None:
            found.add(hit[1])
        at += hit[0] if hit is not None else 1
    return frozenset(found)


@cache
def _words(kind: str) -> frozenset[str]:
    return frozenset(map(fold, table("words")[kind]))


@cache
def _joined(kind: str) -> tuple[str, ...]:
    """Return the words of languages that do not separate words."""
    return tuple(word for word in _words(kind) if len(word) > 1 and word[0] >= "\u2e80" and " " not in word)
