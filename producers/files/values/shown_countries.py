"""In which countries hospitals are where no column says so: by their telephone numbers, areas and addresses."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from producers.files.values.countries import is_country
from worker.contract.placeholders import word_key

_NEARLY_ALL, _FEWEST = 0.9, 5
_INTERNATIONAL = re.compile(r"\s*(?:\+|00)\s*\(?\s*([1-9][0-9 ()-]{6,})")
_LONGEST_CODE = 3


def shown_countries(samples: Mapping[str, Sequence[object]]) -> frozenset[str]:
    """Return the countries that nearly all cells of a field show; none if they do not. `samples` are by field.

    Countries are codes of two letters, or names.
    """
    signs: tuple[tuple[str, Callable[[str], Iterable[str]]], ...] = (
        ("phone", _of_telephone),
        ("state", _of_area),
        ("address", _of_address),
    )
    for field, countries_of in signs:
        cells = [cell for cell in samples.get(field, ()) if isinstance(cell, str) and cell.strip()]
        if len(cells) < _FEWEST:
            continue
        counts: Counter[frozenset[str]] = Counter()
        for cell, its_count in Counter(cells).items():
            counts[frozenset(countries_of(cell))] += its_count
        countries, count = counts.most_common(1)[0]
        if countries and count >= _NEARLY_ALL * len(cells):
            return countries
    return frozenset()


def _of_telephone(number: str) -> Iterable[str]:
    found = _INTERNATIONAL.match(number)
    digits = "" if found is None else "".join(filter(str.isdigit, found[1]))
    codes: Mapping[str, Sequence[str]] = _table()["calling_codes"]
    # No code is the beginning of another one.
    return next((codes[digits[:count]] for count in range(1, _LONGEST_CODE + 1) if digits[:count] in codes), ())


def _of_area(name: str) -> Iterable[str]:
    country = _areas().get(word_key(name))
    return () if country is None else (country,)


def _of_address(address: str) -> Iterable[str]:
    last = address.rpartition(",")[2].strip(" .")
    return (last.casefold(),) if last != address and is_country(last) else ()


@cache
def _areas() -> Mapping[str, str]:
    return {word_key(name): country for country, names in _table()["areas"].items() for name in names}


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("signs_of_countries.toml").read_text("utf-8"))
