"""Finds the column that contains the names of hospitals, by its content."""

from collections.abc import Mapping, Sequence

from producers.files.columns.content import FEW_ROWS, contradiction
from producers.files.columns.mapping import option
from producers.files.columns.names import WEAK_COST, fields_by_name, mentions_name
from producers.files.statistics import ColumnStatistics
from producers.files.words import names_a_hospital

_NAMES = 0.7
_OTHERS = 0.35
_DIFFERENT = 0.5
_LEAST_SCORE = 1.5
_FEW = 0.05
_AS_MANY = 0.8
_MOST_OTHERS = 3


def like_names(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return the columns that may contain the names of hospitals, the likeliest first.

    Most of their values are text and many have a word such as "clinic": without that, a column of addresses or of
    people would do as well.
    """
    scores = {
        column: 2 * _words(statistics[column]) + statistics[column].share_distinct * statistics[column].share_filled
        for column in columns
        if column in statistics and _may_be_names(statistics[column])
    }
    likely = [column for column, score in scores.items() if score >= _LEAST_SCORE]
    # Kinds of hospitals have such words too, but their column is called otherwise.
    return sorted(likely, key=lambda column: (not mentions_name(column), -scores[column]))


def surely_names(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> str | None:
    """Return the column that contains the names of hospitals, whatever it is called, or None in doubt.

    If several columns have words such as "clinic" in their values, it must be called a name. If its own name is one
    of a hospital, the file may have no header, and its first hospital would be lost.
    """
    words = {
        column: _words(statistics[column])
        for column in columns
        if column in statistics and _may_be_names(statistics[column])
    }
    # Remarks on a few rows are not names.
    most = max((it.filled for it in statistics.values()), default=0)
    possible = [
        column for column, share in words.items() if share >= _OTHERS and 2 * statistics[column].filled >= most
    ]
    if len(possible) > 1:
        possible = [column for column in possible if mentions_name(column)]
    sure = [
        column
        for column in possible
        if words[column] >= _NAMES
        and statistics[column].share_distinct >= _DIFFERENT
        and not names_a_hospital(column)
    ]
    if len(sure) < len(possible):
        return None
    return max(sure, key=lambda column: (statistics[column].filled, -sure.index(column)), default=None)


def on_other_names(chosen: str, free: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if unused columns have names of the same hospitals, such as those in another language.

    They are called so, and have about as many different names as the chosen column.
    """
    if chosen not in statistics:
        return []
    fewest = _AS_MANY * statistics[chosen].filled * statistics[chosen].share_distinct
    others = [
        column
        for column in free
        if column in statistics
        and _is_called_a_name(column, statistics[column])
        and _may_be_names(statistics[column])
        and statistics[column].filled * statistics[column].share_distinct >= fewest
    ]
    if not others:
        return []
    return [
        f"the hospital's name is read from {chosen}; {', '.join(others[:_MOST_OTHERS])} may be it as well: "
        f"{option('attributes.other_name', others[0])} keeps it beside the name, and it is the name with "
        + option("hospital_name", others[0])
    ]


def _is_called_a_name(column: str, known: ColumnStatistics) -> bool:
    fields = fields_by_name(column)
    best = min(fields, key=lambda field: fields[field], default=None)
    # "Hôpital" may say yes or no, but not if its cells name hospitals.
    return best == "hospital_name" and (fields[best].cost < WEAK_COST or _words(known) >= _NAMES)


def _may_be_names(known: ColumnStatistics) -> bool:
    if known.values and known.filled >= FEW_ROWS and len(known.values) <= _FEW * known.filled:
        # Kinds of hospitals have such words too.
        return False
    return known.share("text") >= 0.5 and contradiction("hospital_name", known) is None


def _words(known: ColumnStatistics) -> float:
    return known.share_of(lambda value: names_a_hospital(str(value)))
