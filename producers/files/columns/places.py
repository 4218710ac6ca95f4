"""Decides what the position of a hospital is read from: two coordinates, or one column that has both."""

from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher

from producers.files.columns.mapping import option
from producers.files.columns.model import Mapped
from producers.files.columns.name_table import name_key, name_table, name_tokens
from producers.files.columns.names import fields_by_name
from producers.files.shapes import Shape
from producers.files.statistics import ColumnStatistics
from producers.files.words import fold

_SIMILAR = 0.75
_NEARLY_ALL = 0.9
_MOST_SHOWN = 5
# Swiss lists call metres to the east and to the north so. Alone, either may be anything.
_EAST_AND_NORTH = ("e", "n")
_OTHER: Mapping[str, tuple[str, Shape]] = {
    "latitude": ("longitude", "longitude"),
    "longitude": ("latitude", "latitude"),
}


def drop_second_position(assigned: dict[str, str], statistics: Mapping[str, ColumnStatistics]) -> None:
    """Keep either the two coordinates or the one column that has both, whichever is known in more rows."""
    if not {"location", "latitude", "longitude"} <= assigned.keys():
        return
    two, one = statistics.get(assigned["latitude"]), statistics.get(assigned["location"])
    if two is not None and one is not None and two.filled < one.filled / 2:
        del assigned["latitude"], assigned["longitude"]
    else:
        del assigned["location"]


def drop_half_position(
    mapped: dict[str, Mapped],
    left_out: Collection[str],
    free: Sequence[str],
    statistics: Mapping[str, ColumnStatistics],
) -> list[str]:
    """Leave out a latitude without a longitude, and the other way round; return a note if it was not wished."""
    for field, (other, shape) in _OTHER.items():
        if field not in mapped or other in mapped:
            continue
        column = mapped.pop(field).columns[0]
        if other in left_out:
            return []
        if other == "latitude" and (latitude := _exchanged_latitude(column, free, statistics)) is not None:
            options = f"{option('latitude', column)} {option('longitude', latitude)}"
            return [f"{latitude} and {column} seem to be exchanged, and are left out; to exchange them: {options}"]
        guess = _like_a_coordinate(other, shape, free, statistics)
        hint = f" ({guess} looks like it)" if guess is not None else ""
        return [f"{column} has no {other} beside it, so it is left out; say --map {other}=COLUMN{hint}"]
    return []


def pairs_of_coordinates(free: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> str | None:
    """Return the fullest column whose cells are pairs of coordinates, whatever its name is."""
    found = [column for column in free if column in statistics and _has_pairs(statistics[column])]
    return max(found, key=lambda column: (statistics[column].filled, -free.index(column)), default=None)


def on_unread_positions(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    """Return a note if numbers stand in columns that are called like positions: "UTM_X", "lat_e6", "E"."""
    metres = name_table().words["metres"]
    one_letter = east_and_north(columns)
    found = [
        column
        for column in columns
        if column in statistics
        and (column in one_letter or not metres.isdisjoint(name_tokens(column)))
        # Of these a note says that they are not in degrees.
        and _OTHER.keys().isdisjoint(fields_by_name(column))
        and statistics[column].share("number") >= _NEARLY_ALL
    ]
    if len(found) < len(_OTHER):
        return []
    note = (
        f"no position is read; {', '.join(found[:_MOST_SHOWN])} may have one in another system than degrees of "
        "WGS 84 (EPSG:4326): convert them, and give --map latitude=COLUMN --map longitude=COLUMN"
    )
    return [note]


def _exchanged_latitude(
    longitude: str, free: Sequence[str], statistics: Mapping[str, ColumnStatistics]
) -> str | None:
    """Return a column that is called a latitude and has longitudes, if the longitude may be the latitude."""
    if longitude not in statistics or statistics[longitude].share("latitude") < _NEARLY_ALL:
        return None
    return next(
        (
            column
            for column in free
            if "latitude" in fields_by_name(column)
            and column in statistics
            and statistics[column].share("longitude") >= _NEARLY_ALL
        ),
        None,
    )


def east_and_north(columns: Sequence[str]) -> list[str]:
    """Return the columns that are called just E and N, if there are both."""
    found = {key: column for column in columns if (key := name_key(column)) in _EAST_AND_NORTH}
    return list(found.values()) if len(found) == len(_EAST_AND_NORTH) else []


def _has_pairs(known: ColumnStatistics) -> bool:
    return known.share("coordinates") >= _NEARLY_ALL


def _like_a_coordinate(
    field: str, shape: Shape, free: Sequence[str], statistics: Mapping[str, ColumnStatistics]
) -> str | None:
    def similar(column: str) -> float:
        return SequenceMatcher(None, fold(column), field).ratio()

    possible = [
        column
        for column in free
        if (known := statistics.get(column)) is not None
        and known.share(shape) >= _NEARLY_ALL
        and (similar(column) >= _SIMILAR or known.share("integer") < 1 - _NEARLY_ALL)
    ]
    return max(possible, key=similar, default=None)
