"""Which column is the city, the county and the state, where names of areas mean different sizes in different countries.

"Distrito" is the largest area in Portugal and the smallest in Peru. What stands beside it says which one it is.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations, product

from producers.files.columns.name_table import name_table
from producers.files.columns.readings import readings

AREAS = ("city", "county", "state")
"""The fields of areas, the smallest first."""
_MOST_COMPARED = 8
_NAMES_KEPT = 1_000

Costs = Mapping[str, Mapping[str, float]]
"""For each field of an area, the columns that may be it, and how far the name of each is from the best name."""


def arranged(chosen: Mapping[str, str], costs: Costs) -> dict[str, str]:
    """Return the column of each field of an area.

    `chosen` are those with the best names. They are kept unless one contains an area of a larger field, or there is
    a larger state; then as many fields as possible have a column, those with the best names.
    """
    possible = {field: sorted(costs[field], key=lambda column: costs[field][column])[:_MOST_COMPARED] for field in AREAS}
    best = dict(chosen)
    if not _is_in_order(best, possible["state"]):
        candidates = (
            {field: column for field, column in zip(AREAS, columns, strict=True) if column is not None}
            for columns in product(*((None, *possible[field]) for field in AREAS))
        )
        in_order = [it for it in candidates if _is_in_order(it, possible["state"])]
        best = min(in_order, key=lambda it: (-len(it), sum(costs[field][column] for field, column in it.items())))
    county = best.get("county")
    if county in costs["state"] and "state" not in best and _is_largest(county, best.get("city", "")):
        best["state"] = best.pop("county")
    return best


def _is_in_order(chosen: Mapping[str, str], states: Iterable[str]) -> bool:
    if len(set(chosen.values())) < len(chosen):
        return False
    smaller_first = [chosen[field] for field in AREAS if field in chosen]
    if any(_is_larger(smaller, larger) for smaller, larger in combinations(smaller_first, 2)):
        return False
    return "state" not in chosen or not any(_is_larger(column, chosen["state"]) for column in states)


def _is_larger(column: str, other: str) -> bool:
    """Return whether the areas of a column are larger than those of another, in every country that has both."""
    sizes, others = _sizes(column), _sizes(other)
    both = [(size, others[country]) for country, size in sizes.items() if country in others]
    return bool(both) and all(size < its_size for size, its_size in both)


def _is_largest(column: str, smaller: str) -> bool:
    sizes = _sizes(column)
    return _is_larger(column, smaller) and all(sizes.get(country, 0) == 0 for country in _sizes(smaller))


@lru_cache(maxsize=_NAMES_KEPT)
def _sizes(column: str) -> dict[int, int]:
    """Return the size of a column's areas in each country that has them, 0 for the largest."""
    keys = {reading.key for reading in readings(column)}
    return {
        country: size
        for country, areas in enumerate(name_table().areas)
        for size, names in enumerate(areas)
        if not names.isdisjoint(keys)
    }
