"""Finds the columns that name people: in a list of doctors, "Name" beside "First name" is not a hospital."""

from collections.abc import Mapping, Sequence

from producers.files.columns.mapping import option
from producers.files.columns.name_table import name_key, name_table, name_tokens
from producers.files.columns.names import fields_by_name
from producers.files.statistics import ColumnStatistics
from producers.files.words import names_a_hospital

# The share of cells that have a word such as "clinic". A column of hospitals has some, and one of people few.
_HOSPITALS, _SOME_HOSPITALS, _PEOPLE = 0.7, 0.35, 0.1
_DIFFERENT = 0.3


def names_of_people(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> dict[str, str]:
    """Return the columns that would be the hospital's name and are that of a person, each with the reason.

    A first name or a surname beside "Name" says so; a job title says so if another column has hospitals, and so do
    cells without a hospital beside a column that is called a hospital and has them in its cells.
    """
    shares = {column: _share(statistics[column]) for column in columns if column in statistics}
    names = [column for column in shares if shares[column] <= _PEOPLE and _is_just_a_name(column)]
    if not names:
        return {}
    firsts, lasts, jobs = (_called(columns, kind) for kind in ("first_name", "surname", "job"))
    found: dict[str, str] = {}
    for column in names:
        others = [other for other in shares if other != column and other not in firsts + lasts + jobs]
        beside = _beside(column, firsts, lasts)
        if beside is None and any(shares[other] >= _SOME_HOSPITALS for other in others):
            beside = next((it for it in (*firsts, *lasts, *jobs) if it != column), None)
        if beside is not None:
            found[column] = f"is the name of a person, because {beside} stands beside it"
        elif (hospital := _called_hospital(column, others, shares, statistics)) is not None:
            found[column] = f"names no hospitals, and {hospital} does"
    if found and (firsts or lasts or jobs):
        titles = (
            it for it in jobs if it in shares and shares[it] <= _PEOPLE and "hospital_name" in fields_by_name(it)
        )
        found |= dict.fromkeys(titles, "is the title of a person")
    return found


def on_people(people: Mapping[str, str], chosen: str) -> list[str]:
    """Return notes on the columns that name people, if the hospital's name is read from another one, `chosen`."""
    return [
        f"{column} {reason}, so the hospital's name is read from {chosen}; telephone and address may be those of "
        f"the person; if {column} is the hospital: {option('hospital_name', column)}"
        for column, reason in people.items()
        if column != chosen
    ]


def _share(known: ColumnStatistics) -> float:
    return known.share_of(lambda value: names_a_hospital(str(value)))


def _called(columns: Sequence[str], kind: str) -> list[str]:
    keys = {word.replace(" ", "") for word in name_table().words[kind]}
    return [column for column in columns if name_key(column) in keys]


def _is_just_a_name(column: str) -> bool:
    words = name_table().words
    others = words["name"] | words["stop"] | words["first_name"] | words["surname"] | {"complet", "completo"}
    tokens = name_tokens(column)
    return bool(tokens) and others.issuperset(tokens) and "hospital_name" in fields_by_name(column)


def _beside(column: str, firsts: Sequence[str], lasts: Sequence[str]) -> str | None:
    """Return the other half of a person's name. If both are there, "Name" is neither, and may be the hospital."""
    halves = [it for it in (*firsts, *lasts) if it != column]
    is_whole = any(it in firsts for it in halves) and any(it in lasts for it in halves)
    return halves[0] if halves and not is_whole else None


def _called_hospital(
    column: str,
    others: Sequence[str],
    shares: Mapping[str, float],
    statistics: Mapping[str, ColumnStatistics],
) -> str | None:
    """Return a column beside a name that is called "hospital" and whose cells name different hospitals.

    Kinds of hospitals are few, and mostly one word; the names of a name's column may well lack such words.
    """
    for other in others:
        known = statistics[other]
        if (
            shares[other] < _HOSPITALS
            or not names_a_hospital(other)
            or "hospital_name" not in fields_by_name(other)
        ):
            continue
        words = known.share_of(lambda value: len(str(value).split()) > 1)
        fewest = _DIFFERENT * min(1.0, statistics[column].share_distinct)
        if words >= _HOSPITALS and known.share_distinct >= fewest:
            return other
    return None
