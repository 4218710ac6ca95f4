"""The ways to read a name of a column: as a whole, and without the words that say nothing about its field."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from producers.files.columns.name_table import name_table, name_tokens

# In front these stand for "name", as in Brazil's NO_MUNICIPIO; behind they stand for "number".
_NAME_IN_FRONT = frozenset(("no", "ds", "dsc"))
_BRACKETS = re.compile(r"[(\[{<【「].*?[)\]}>】」]")
_PARTS = re.compile(r"[/|\n\r\\]+|\s[-\u2013\u2014]\s")
_HOLDER_COST = 20
# Each has dozens of readings, which are needed only while the name is looked up.
_NAMES_KEPT = 64
_SHORTEST_JOINED_WORD = 4
_JOINED_TO_NAMES = frozenset(("code", "id", "cd", "abbr", "abbrev"))


class Reading(NamedTuple):
    """One way to read a name.

    `key`: the folded words that are left, joined. `cost`: 0 for the name as it stands, more for each kind of words
    left aside. `facility`: a word for a hospital was left aside. `names_facility`: what is left is only "name".
    `part`: words were left aside that could make the name of something else the hospital's name; `suffix`: the same
    at the end. `fragment`: only one of several languages or alternatives is read. `code_of`: what is left without a
    word such as "code", each way to leave it aside.
    """

    key: str
    cost: int
    tokens: tuple[str, ...]
    facility: bool = False
    names_facility: bool = False
    part: bool = False
    suffix: bool = False
    fragment: bool = False
    code_of: tuple[str, ...] = ()


@lru_cache(maxsize=_NAMES_KEPT)
def readings(column: str) -> tuple[Reading, ...]:
    """Return the ways to read a name; of equal ones the cheapest."""
    text = unicodedata.normalize("NFKC", column)
    bare = _BRACKETS.sub(" ", text)
    texts = [(text, 0), (bare, 1)]
    whole = len(texts)
    texts += [(part, 2) for part in _PARTS.split(bare)]
    # Two languages in one name: "Address 地址".
    texts.append(("".join(c if c.isascii() else " " for c in bare), 2))
    texts.append(("".join(" " if c.isascii() and c.isalnum() else c for c in bare), 2))
    cheapest: dict[tuple[object, ...], Reading] = {}
    for position, (written, cost) in enumerate(texts):
        for reading in _shortened(name_tokens(written), _Origin(cost, fragment=position >= whole)):
            kind = (reading.key, reading.part, reading.suffix, reading.facility, reading.fragment)
            if kind not in cheapest or reading.cost < cheapest[kind].cost:
                cheapest[kind] = reading
    return tuple(cheapest.values())


def code_of(tokens: Sequence[str], *, abbreviated: bool = False) -> Iterator[str]:
    """Yield what a code is a code of: the name without a word such as "code" in front or behind.

    `abbreviated`: an abbreviation is a code, too.
    """
    words = name_table().words["identifier"]
    if abbreviated:
        words |= name_table().words["abbreviation"]
    if len(tokens) > 1 and tokens[-1] in words:
        yield "".join(tokens[:-1])
    if len(tokens) > 1 and tokens[0] in words:
        yield "".join(tokens[1:])
    if len(tokens) == 1:
        key = tokens[0]
        for word in words:
            if len(word) < len(key) and key.endswith(word) and (not word.isascii() or word in _JOINED_TO_NAMES):
                yield key[: -len(word)]


class _Origin(NamedTuple):
    cost: int
    part: bool = False
    suffix: bool = False
    fragment: bool = False


def _shortened(tokens: tuple[str, ...], origin: _Origin) -> Iterator[Reading]:
    for first, front_cost, part in _without_prefix(tokens):
        for second, end_cost, suffix in _without_suffix(first):
            cost = origin.cost + front_cost + end_cost
            yield from _without_fillers(second, _Origin(cost, part, suffix, origin.fragment))


def _without_prefix(tokens: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int, bool]]:
    words = name_table().words
    yield tokens, 0, False
    part, postal = False, 0
    for skipped in range(1, min(3, len(tokens))):
        word = tokens[skipped - 1]
        if word in words["place_prefix"]:
            part = True
        elif word in words["postal_prefix"]:
            part, postal = True, 1
        elif word in words["facility"] and tokens[skipped] in words["place_prefix"]:
            # "Hospital address city" is "address city" of the hospital.
            continue
        elif word not in words["prefix"]:
            return
        yield tokens[skipped:], 2 * skipped + postal, part


def _without_suffix(tokens: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int, bool]]:
    words = name_table().words
    languages = words["english"] | words["language"]
    yield tokens, 0, False
    suffix = False
    for kept in range(len(tokens) - 1, max(0, len(tokens) - 3), -1):
        if tokens[kept] not in languages | words["suffix"]:
            return
        # A name in some language is still a name.
        suffix = suffix or tokens[kept] not in languages
        local = not words["language"].isdisjoint(tokens[kept:])
        yield tokens[:kept], 2 * (len(tokens) - kept) + local, suffix


def _without_fillers(tokens: tuple[str, ...], origin: _Origin) -> Iterator[Reading]:
    yield from _reading(tokens, origin, 0)
    plain = _without(tokens, name_table().words["stop"])
    if plain != tokens:
        yield from _reading(plain, origin, 1)
    for kept in dict.fromkeys((plain, tokens)):
        yield from _without_facility(kept, origin)
    yield from _without_joined_words("".join(plain), origin)


def _without_facility(tokens: tuple[str, ...], origin: _Origin) -> Iterator[Reading]:
    words = name_table().words
    without = _without(tokens, words["facility"])
    facility = without != tokens
    if facility:
        named = bool(without) and not _without_name(without)
        for reading in _reading(without, origin, 1):
            yield reading._replace(facility=True, names_facility=named and not origin.part)
    run_by = _without(without, words["holder"])
    if run_by != without:
        yield from _reading(run_by, origin, _HOLDER_COST)
    for base, left_aside in dict.fromkeys(((without, facility), (tokens, False))):
        unnamed = _without_name(base)
        if unnamed != base:
            for reading in _reading(unnamed, origin, 2):
                # The name of something else is not the name of a hospital.
                yield reading._replace(part=True, facility=left_aside)


def _without_joined_words(key: str, origin: _Origin) -> Iterator[Reading]:
    """Read names whose words are joined, such as "hospitalname" and "病院住所"."""
    words = name_table().words
    for rest in _rests(key, words["facility"]):
        for reading in _reading((rest,), origin, 1):
            named = rest in words["name"] and not origin.part
            yield reading._replace(facility=True, names_facility=named)
    if not key.isascii():
        for rest in _rests(key, words["name"]):
            for reading in _reading((rest,), origin, 1):
                yield reading._replace(part=True)


def _reading(tokens: Sequence[str], origin: _Origin, more: int) -> Iterator[Reading]:
    key = "".join(tokens)
    if not key:
        return
    reading = Reading(
        key,
        origin.cost + more,
        tuple(tokens),
        part=origin.part,
        suffix=origin.suffix,
        fragment=origin.fragment,
        code_of=tuple(code_of(tokens, abbreviated=True)),
    )
    yield reading
    if key.isascii() and key.endswith("s") and len(key) > _SHORTEST_JOINED_WORD:
        yield reading._replace(key=key[:-1], cost=reading.cost + 1, code_of=())


def _without(tokens: Sequence[str], words: frozenset[str]) -> tuple[str, ...]:
    return tuple(token for token in tokens if token not in words)


def _without_name(tokens: Sequence[str]) -> tuple[str, ...]:
    words = name_table().words["name"]
    return tuple(
        token
        for position, token in enumerate(tokens)
        if not (position == 0 if token in _NAME_IN_FRONT else token in words)
    )


def _rests(key: str, words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if len(word) < len(key) and (not word.isascii() or len(word) >= _SHORTEST_JOINED_WORD):
            if key.startswith(word):
                yield key[len(word) :]
            if key.endswith(word):
                yield key[: -len(word)]
