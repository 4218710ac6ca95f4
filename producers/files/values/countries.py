"""Where countries are, coarsely: enough to find a position whose latitude and longitude are swapped."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from producers.files.values.angles import Axis, Position
from worker.contract.placeholders import word_key

Place = Literal["inside", "outside", "swapped"]

# The boxes are coarse, and hospitals stand on islands off the coast.
_MARGIN = 1.0
_LONGEST_CODE = 3
# More are nearly everywhere.
_MOST_COUNTRIES = 10


class _Box(NamedTuple):
    south: float
    north: float
    west: float
    east: float

    def contains(self, latitude: float, longitude: float, margin: float) -> bool:
        return (
            self.south - margin <= latitude <= self.north + margin
            and self.west - margin <= longitude <= self.east + margin
        )


def place_in_country(position: Position, country: str) -> Place:
    """Return whether a position is in its country, or outside, or would be inside the other way round.

    A country that is not known, or not by this name, has every position inside.
    """
    box = _box(country)
    latitude, longitude = position
    if box is None or box.contains(latitude, longitude, _MARGIN):
        return "inside"
    return "swapped" if box.contains(longitude, latitude, 0.0) else "outside"


def share_along(axis: Axis, degrees: Sequence[float], countries: Collection[str]) -> float:
    """Return the share of degrees on an axis that one of the countries has; 0 if none is known, or too many are."""
    known = countries if len(countries) <= _MOST_COUNTRIES else ()
    boxes = [box for country in known if (box := _box(country)) is not None]
    ends = [(box.south, box.north) if axis == "latitude" else (box.west, box.east) for box in boxes]
    within = sum(any(low - _MARGIN <= it <= high + _MARGIN for low, high in ends) for it in degrees)
    return within / max(1, len(degrees))


def is_country(name: str) -> bool:
    """Return whether a name, not a code, is that of a country."""
    return len(name) > _LONGEST_CODE and word_key(name) in _boxes()


def sides_of(country: str) -> frozenset[Literal["E", "W"]]:
    """Return on which sides of Greenwich a country is; none if it is not known."""
    box = _box(country)
    sides: dict[Literal["E", "W"], bool] = {} if box is None else {"W": box.west < 0, "E": box.east > 0}
    return frozenset(side for side, is_there in sides.items() if is_there)


@cache
def _boxes() -> Mapping[str, _Box]:
    table = tomllib.loads(files(__package__).joinpath("countries.toml").read_text("utf-8"))
    boxes: dict[str, Sequence[float]] = table["boxes"]
    names: dict[str, list[str]] = table["names"]
    return {word_key(name): _Box(*box) for code, box in boxes.items() for name in (code, *names[code])}


# A list has few countries; a column of something else must not fill the memory.
@lru_cache(maxsize=1_000)
def _box(country: str) -> _Box | None:
    return _boxes().get(word_key(country))
