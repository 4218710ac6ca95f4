"""Which columns are the city, the county and the state: names of areas mean different sizes in different countries.

"Distrito" is the largest area in Portugal and the smallest in Peru. What stands beside it says which one it is.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import combinations, product

from producers.files.columns.name_table import name_table
from producers.files.columns.names import WEAK_COST
from producers.files.columns.readings import readings

AREAS = ("city", "county", "state")
"""The fields of areas, the smallest first."""
_MOST_COMPARED = 8
_NAMES_KEPT = 1_000

Costs = Mapping[str, Mapping[str, float]]
"""For each field of an area, the columns that may be it, and how far the name of each is from the best name."""


def arranged(chosen: Mapping[str, str], costs: Costs) -> dict[str, str]:
    """Return the column of each field of an area, without those that have none.

    `chosen` are those with the best names. They are kept unless one contains an area of a larger field, or there is
    a larger state; then as many fields as possible have a column, those with the best names.
    """
    possible = {field: sorted(costs[field], key=lambda it: costs[field][it])[:_MOST_COMPARED] for field in AREAS}
    sizes = _Sizes({column for columns in possible.values() for column in columns})
    best = dict(chosen)
    if not sizes.agree_with(best, possible["state"]):
        candidates = (
            {field: column for field, column in zip(AREAS, columns, strict=True) if column is not None}
            for columns in product(*((None, *possible[field]) for field in AREAS))
        )
        in_order = [it for it in candidates if sizes.agree_with(it, possible["state"])]
        best = min(in_order, key=lambda it: (-len(it), sum(costs[field][column] for field, column in it.items())))
    county = best.get("county", "")
    if "city" not in best and costs["city"].get(county, WEAK_COST) < WEAK_COST:
        # A municipality, which is a county only beside a town or village.
        best["city"] = best.pop("county")
    elif "state" not in best and county in costs["state"] and sizes.has_largest(county):
        best["state"] = best.pop("county")
    return best


class _Sizes:
    """How large the areas of columns are in the countries that have the most of them, 0 for the largest."""

    def __init__(self, columns: Collection[str]) -> None:
        sizes = {column: _sizes(column) for column in columns}
        counts = Counter(country for its_sizes in sizes.values() for country in its_sizes)
        most = max(counts.values(), default=0)
        self._countries = [country for country, count in counts.items() if count == most > 1]
        self._sizes = sizes

    def agree_with(self, chosen: Mapping[str, str], states: Iterable[str]) -> bool:
        """Return whether each column is used once, the areas are in order, and no state is larger."""
        columns = [chosen[field] for field in AREAS if field in chosen]
        return (
            len(set(columns)) == len(columns)
            and not any(self._is_larger(smaller, larger) for smaller, larger in combinations(columns, 2))
            and not ("state" in chosen and any(self._is_larger(other, chosen["state"]) for other in states))
        )

    def has_largest(self, column: str) -> bool:
        """Return whether the areas of a column are the largest of their countries."""
        return bool(self._countries) and all(self._sizes[column].get(it) == 0 for it in self._countries)

    def _is_larger(self, column: str, other: str) -> bool:
        one, two = self._sizes[column], self._sizes[other]
        both = [(one[country], two[country]) for country in self._countries if country in one and country in two]
        return bool(both) and all(size < its_size for size, its_size in both)


@lru_cache(maxsize=_NAMES_KEPT)
def _sizes(column: str) -> dict[int, int]:
    keys = {reading.key for reading in readings(column)}
    return {
        country: size
        for country, areas in enumerate(name_table().areas)
        for size, names in enumerate(areas)
        if not names.isdisjoint(keys)
    }
