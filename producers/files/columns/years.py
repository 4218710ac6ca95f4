"""Notes on lists that have the same hospital in several rows: one a year."""

from collections.abc import Mapping, Sequence

from producers.files.columns.name_table import name_key, name_table
from producers.files.statistics import ColumnStatistics


def on_years(identifier: str, free: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if rows share an identifier and there is a column of several years."""
    known = statistics.get(identifier)
    if known is None or known.unique is not False:
        return []
    column = next((it for it in free if it in statistics and _is_of_years(it, statistics[it])), None)
    if column is None:
        return []
    years = statistics[column].values
    return [
        (
            f"{column} has {len(years)} years, and rows share one {identifier}: of each hospital the first row is "
            "stored. A year alone does not say which row is newer; to store the newest, load only the "
            f"rows of {max(map(str, years))}"
        )
    ]


def _is_of_years(column: str, known: ColumnStatistics) -> bool:
    return name_key(column) in name_table().words["year"] and known.share("year") == 1 and len(known.values) > 1
