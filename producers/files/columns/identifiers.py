"""Finds the column that identifies the hospitals of a list: by its name and by its content.

An identifier that is not one merges hospitals, so a column is used only if its name says that it is an identifier
and no two rows that differ share a value; if there is none, if these rows differ in nothing that tells hospitals
apart. Others are proposed in a note.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from producers.files.columns.mapping import option
from producers.files.columns.name_table import name_key, name_table, name_tokens
from producers.files.columns.names import (
    WEAK_COST,
    fields_by_name,
    identifier_cost,
    is_serial,
    names_a_count,
    names_something_else,
)
from producers.files.columns.places import east_and_north
from producers.files.shapes import Shape
from producers.files.statistics import ColumnStatistics
from producers.files.values.numbers import is_counted

FULL = 0.95
"""The part of the rows that must have an identifier; the others are identified by name and place."""
_NEARLY_ALL = 0.9
_MOSTLY_DISTINCT = 0.5
_OID = re.compile(r"[0-2](\.[0-9]+){3,}")
_NO_IDENTIFIERS: tuple[Shape, ...] = ("coordinates", "date", "email address")
_MOST_PROPOSED = 5
_LONGEST_NUMBER = 4
_FOOTERS = 2
# One hospital may have the number 1 in its register, and another one the number 2.
_FEWEST_COUNTED = 3
# The cost of names such as "id" and "code" that do not say whose they are.
_ANY_IDENTIFIER = 20
# The address of an item of Wikidata is an identifier, whatever the query calls the column.
_ENTITY = re.compile(r"https?://www\.wikidata\.org/(?:entity|wiki)/Q\d+")
_ENTITY_COST = 29
# A telephone number with its prefix, as people write it; columns that are called so are known by name.
_TELEPHONE = re.compile(r"(?=(?:\D*\d){8,13}\D*$)\(?(?:\+|0\d)\d*\)?[ \u2013/-][\d -]+")
# Written by a spreadsheet: the digits beyond the fraction are gone.
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2}")
_NO_IDENTITY = ", so it does not identify the hospitals"
_REPEATS_HOSPITALS = "{} repeats in rows that agree in name and place, so each is taken for one hospital"
# That of `external_id` in the contract.
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The columns that may be the identifier, best first, and notes on columns that may not.

    `counts`: the best one only numbers the rows. `repeats`: rows of one hospital share it. `local`: the best column
    that tells rows apart, although it may not be an identity.
    """

    candidates: tuple[str, ...]
    counts: bool
    repeats: bool
    local: str | None
    notes: tuple[str, ...]


def find_identifiers(
    free: Sequence[str], statistics: Mapping[str, ColumnStatistics], *, source_column: str | None
) -> Identifiers:
    """Look for identifiers among the columns that no field uses.

    `source_column`: the column that the source is read from, if there is one; an identifier must then be unique
    within each source only.
    """
    ranked: list[tuple[bool, bool, bool, int, int, int, str]] = []
    partial: list[tuple[int, int, int, str]] = []
    notes: list[str | None] = []
    numbering = [column for column in free if column in statistics and _is_numbering(column, statistics[column])]
    for position, column in enumerate(free):
        known = statistics.get(column)
        cost = _ENTITY_COST if known is not None and _names_entities(known) else identifier_cost(column)
        if cost is None or known is None or column in numbering or not _may_identify(known):
            notes.append(_rounded(column, known, cost))
            continue
        is_unique = known.unique or (source_column is not None and source_column in known.unique_with)
        if is_unique or (known.repeats_hospitals and cost < WEAK_COST):
            if known.identifying >= FULL * known.rows:
                # An authority may number its hospitals from 1, but just "id" and "nr" may count the rows.
                weak = cost >= _ANY_IDENTIFIER and counts_rows(known)
                # Beside the hospital's own identifier, which may stand in several rows, a code that is different in
                # each is that of something else, such as what the hospital has registered.
                foreign = cost >= (WEAK_COST if is_unique else _ANY_IDENTIFIER)
                ranked.append((weak, foreign, not is_unique, cost, -known.identifying, position, column))
            elif cost < WEAK_COST:
                notes.append(_incomplete(column, known))
                partial.append((cost, -known.identifying, position, column))
        elif cost < WEAK_COST and not _is_part_of_key(column, free[:position], statistics):
            # A key of two columns is named once.
            notes.append(repeated(column, known, used=False))
            if known.share_distinct >= _MOSTLY_DISTINCT:
                partial.append((cost, -known.identifying, position, column))
    ranked.sort()
    counts, _, repeats = ranked[0][:3] if ranked else (False, False, False)
    # A running number is never proposed beside a better one.
    candidates = tuple(
        column for weak, _, repeated_too, *_, column in ranked if repeated_too == repeats and weak <= counts
    )
    if candidates and not counts:
        # Why other columns are not used is of interest only as long as there is no good one.
        return Identifiers(candidates, counts, repeats, candidates[0], ())
    named = [column for *_, column in sorted(partial)]
    unnamed = _unique_codes([column for column in free if column not in named], statistics)
    local = next(iter([*named, *unnamed]), None)
    if not candidates:
        notes.extend(_proposals(free, statistics, unnamed, local, numbering))
    return Identifiers(candidates, counts, repeats, local, tuple(filter(None, notes)))


def _is_part_of_key(column: str, earlier: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> bool:
    return any(column in statistics[other].unique_with for other in earlier if other in statistics)


def on_identifiers(found: Identifiers, *, has_source: bool, given_source: bool) -> list[str]:
    """Return notes on what was found. `has_source`: given, or read from a column; `given_source`: given."""
    if not found.candidates:
        missing = (
            ["--source is given, but no column was found that identifies the hospitals"] if given_source else []
        )
        return [*missing, *found.notes]
    best, *others = found.candidates
    every = "for every hospital" if found.repeats else "in every row"
    notes = [_REPEATS_HOSPITALS.format(best)] if found.repeats else []
    if not has_source and found.counts:
        notes.append(f"{best} counts the rows; if it identifies hospitals, say whose list this is: --source NAME")
    elif not has_source:
        notes.append(
            f"{best} has a different value {every}, but an identifier is used only together with its source; "
            "say whose list this is: --source NAME. Until then it only tells hospitals of one name and place apart"
        )
    if others:
        notes.append(
            f"{best} is {'used' if has_source else 'proposed'} as the identifier; also with a different value "
            f"{every}: {', '.join(others)} ({option('external_id', others[0])})"
        )
    if has_source and found.counts:
        notes.append(
            f"{best} only counts the rows; if the next delivery counts them anew, leave it out: --map external_id="
        )
    return [*notes, *found.notes]


def repeated(column: str, known: ColumnStatistics, *, used: bool) -> str | None:
    """Return a note if an identifier repeats in rows that differ, with the key of two columns if one is needed.

    `used`: it is the identifier all the same, because the user says so.
    """
    if known.unique is not False:
        return None
    if known.repeats_hospitals:
        return _REPEATS_HOSPITALS.format(column)
    if known.unique_with:
        other = known.unique_with[0]
        return (
            f"{column} repeats in rows that differ; together with {other} it does not: "
            f'--map external_id="{other} + {column}"'
        )
    consequence = "; those with another place or name than the first are not applied" if used else _NO_IDENTITY
    return f"{column} repeats in rows that differ{consequence}"


def counts_rows(known: ColumnStatistics) -> bool:
    """Return whether a column numbers the rows: whole numbers, each different, about as many as there are rows.

    Numbers with leading zeros are codes.
    """
    if known.unique is False or not known.sample:
        return False
    largest = known.rows + known.rows // 20 + 1
    return all(
        text.isascii() and text.isdigit() and str(int(text[:12])) == text and int(text) <= largest
        for text in (_whole(value) for value in known.sample)
    )


def _is_numbering(column: str, known: ColumnStatistics) -> bool:
    """Return whether a column numbers the rows as they stand: the next delivery gives others these numbers.

    The numbers of a database have gaps, or are in another order. An authority may number its hospitals from 1.
    """
    if (identifier_cost(column) or 0) < _ANY_IDENTIFIER:
        return False
    # The sample has every cell, or every second one, and so on.
    if not counts_rows(known) or len(known.sample) < _FEWEST_COUNTED or known.filled < FULL * known.rows:
        return False
    numbers = [int(_whole(value)) for value in known.sample]
    step = numbers[1] - numbers[0]
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + step * len(numbers), step or 1))


def _whole(value: object) -> str:
    text = str(value)
    return text.removesuffix(".0") if isinstance(value, str | float) else text


def _may_identify(known: ColumnStatistics) -> bool:
    if not known.identifying or known.longest > _LONGEST:
        return False
    if any(known.share(shape) >= 0.5 for shape in _NO_IDENTIFIERS):
        return False
    if known.share_of(lambda value: isinstance(value, Mapping | list)) >= 0.5:
        return False
    if known.share("yes or no") >= _NEARLY_ALL:
        # A delivery of one row may have the hospital whose number is 1.
        return known.unique is True and known.share("integer") >= _NEARLY_ALL
    return known.share("number") - known.share("integer") < 0.5 and not _is_prose(known)


def _rounded(column: str, known: ColumnStatistics | None, cost: int | None) -> str | None:
    if known is None or cost is None or cost >= WEAK_COST:
        return None
    example = next((str(value) for value in known.sample if _ROUNDED.fullmatch(str(value).strip())), None)
    if example is None:
        return None
    return (
        f"{column} has numbers that a spreadsheet has rounded, such as {example}{_NO_IDENTITY}; "
        "get the list as it was before, or with this column as text"
    )


def _is_prose(known: ColumnStatistics) -> bool:
    return sum(len(str(value).split()) > 4 for value in known.sample) > len(known.sample) / 2


def _names_entities(known: ColumnStatistics) -> bool:
    return bool(known.sample) and all(_ENTITY.fullmatch(str(value)) for value in known.sample)


def _incomplete(column: str, known: ColumnStatistics) -> str:
    without = known.rows - known.identifying
    return (
        f"{column} is missing in {without:,} of {known.rows:,} rows, so it is not used as the identifier; "
        f"to use it where it is known: {option('external_id', column)}"
    )


def _proposals(
    free: Sequence[str],
    statistics: Mapping[str, ColumnStatistics],
    unnamed: Sequence[str],
    local: str | None,
    numbering: Sequence[str],
) -> Iterable[str]:
    """Yield notes on columns that may be the identifier, although their names do not say so or say otherwise.

    `unnamed` are those whose content says so; `local` is the column that tells rows apart; `numbering` are those
    that count the rows in their order.
    """
    for column in free:
        known = statistics.get(column)
        if known is None or not (column in numbering or _numbers_rows(column, known)):
            continue
        if known.unique and known.identifying >= FULL * known.rows:
            yield (
                f"{column} numbers the rows of this delivery, so it is not used as the identifier; "
                f"if the list keeps its numbers: {option('external_id', column)}"
            )
            break
    if unnamed:
        best = unnamed[0]
        more = f" and {len(unnamed) - _MOST_PROPOSED} more" if len(unnamed) > _MOST_PROPOSED else ""
        used = f". Until then {best} only tells hospitals of one name and place apart" if best == local else ""
        full = statistics[best].identifying == statistics[best].rows
        yield (
            f"no column is named as an identifier; with a different value in {'every' if full else 'nearly every'} "
            f"row: {', '.join(unnamed[:_MOST_PROPOSED])}{more} ({option('external_id', best)}){used}"
        )


def _numbers_rows(column: str, known: ColumnStatistics) -> bool:
    # Databases call the number of a row OID. The OID of a register, such as 1.2.246.10.1, is something else.
    is_oid = known.share_of(lambda value: _OID.fullmatch(str(value)) is not None) >= _NEARLY_ALL
    return is_serial(column) and not is_oid


def _unique_codes(free: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return the columns whose content is that of identifiers, whatever their names; full ones first."""
    axes = east_and_north(free)
    unique = [
        column
        for column in free
        if column in statistics
        and column not in axes
        and not _numbers_rows(column, statistics[column])
        and not names_something_else(column)
        and not names_a_count(column)
        and name_table().words["axis"].isdisjoint(name_tokens(column))
        and not fields_by_name(column)
        and name_key(column) not in name_table().house_numbers
        and _is_full_of_codes(statistics[column])
    ]
    return sorted(unique, key=lambda column: -statistics[column].identifying)


def _is_full_of_codes(known: ColumnStatistics) -> bool:
    # Below a short list there may be a total and a remark, which have no code.
    without = known.rows - known.identifying
    is_full = known.identifying >= FULL * known.rows or without <= min(_FOOTERS, known.identifying - 1)
    if not is_full or not known.unique or not _may_identify(known) or counts_rows(known):
        return False
    if known.share("integer") >= _NEARLY_ALL and known.longest <= _LONGEST_NUMBER:
        # Short numbers may be different by chance: house numbers, floors, counts.
        return False
    counts = sum(is_counted(str(value)) for value in known.sample)
    if counts >= _MOSTLY_DISTINCT * len(known.sample):
        return False
    telephones = sum(_TELEPHONE.fullmatch(str(value).strip()) is not None for value in known.sample)
    if telephones >= _MOSTLY_DISTINCT * len(known.sample):
        return False
    codes = sum(any(c.isdigit() for c in text) and len(text.split()) == 1 for text in map(str, known.sample))
    return codes >= _NEARLY_ALL * len(known.sample) and known.share("web address") < 0.5
