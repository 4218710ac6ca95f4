"""Decides once for a file how its latitudes, longitudes and positions are read, and where most of them are."""

import re
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import get_args

from producers.files.values.angles import LIMITS, Axis
from producers.files.values.cells import CellReader, MappedColumns
from producers.files.values.coordinate_order import coordinate_order, order_in_points
from producers.files.values.coordinates import CoordinateOrder, CoordinateReader, PositionReader
from producers.files.values.letter_o import MeaningOfO, meaning_of_o
from producers.files.values.letters import Letters, letters_of
from producers.files.values.positions import Region, are_swapped, readable, without_sign
from producers.files.values.shown_countries import shown_countries
from producers.files.values.unsigned import UnsignedReader, have_no_sign, names_negative_side

_LETTER = re.compile(r"([^\W\d_])=([NSEW])")


class CoordinateChoice:
    """What is decided of the coordinates of a file, by the `samples` of its fields.

    `given` are the settings of a profile. What is decided is added to `settings`, and what a person should know to
    `notes`.
    """

    def __init__(
        self,
        mapped: Sequence[MappedColumns],
        samples: Mapping[str, Sequence[object]],
        given: Mapping[str, str],
        settings: MutableMapping[str, str],
        notes: list[str],
    ) -> None:
        self._mapped = mapped
        self._samples = samples
        self._given = given
        self._settings = settings
        self._notes = notes
        # Each reader counts what it changes in the file, so the region needs others of the same kind.
        self._makers: dict[str, Callable[[], CellReader]] = {}

    def reader(self, mapped: MappedColumns) -> CellReader:
        """Return the reader of a column of latitudes, of longitudes, or of positions."""
        letters = self._letters(mapped)
        if mapped.field in LIMITS:
            axis: Axis = "latitude" if mapped.field == "latitude" else "longitude"
            is_unsigned = self._is_unsigned(axis, mapped)
            self._makers[axis] = lambda: (
                UnsignedReader(CoordinateReader(axis, letters)) if is_unsigned else CoordinateReader(axis, letters)
            )
        else:
            order, points = self._order(mapped), self._order_in_points(mapped)
            self._makers[mapped.field] = lambda: PositionReader(order, letters, points=points)
        return self._makers[mapped.field]()

    def region(self, rows_of: Callable[[str], Sequence[object]]) -> Region:
        """Return where most hospitals are, by the fields that have a reader.

        `rows_of` returns the cells of a field, each once.
        """
        if "location" in self._makers:
            _, positions, _ = readable(self._makers["location"](), rows_of("location"))
            return Region([latitude for latitude, _ in positions], [longitude for _, longitude in positions])
        if not {"latitude", "longitude"} <= self._makers.keys():
            return Region([], [])
        latitudes, _, outside = readable(self._makers["latitude"](), rows_of("latitude"))
        longitudes, _, _ = readable(self._makers["longitude"](), rows_of("longitude"))
        if are_swapped(latitudes, longitudes, outside, self._known_countries):
            columns = {it.field: it.columns for it in self._mapped}
            self._notes.append(
                "latitude and longitude seem to be swapped: give "
                f"--map latitude={columns['longitude'][0]} --map longitude={columns['latitude'][0]}"
            )
        for axis in without_sign(latitudes, longitudes, self._known_countries):
            self._notes.append(
                f"{axis}: the hospitals are in the countries of the list only if its numbers are negative, and "
                f'they have no sign; to read them so: "{axis}.sign" = "-" in a profile (inspect --save)'
            )
        return Region(latitudes, longitudes)

    def _order(self, mapped: MappedColumns) -> CoordinateOrder | None:
        setting = f"{mapped.field}.order"
        order = next((order for order in get_args(CoordinateOrder) if order == self._given.get(setting)), None)
        if order is None:
            order, note = coordinate_order(mapped.columns, self._samples[mapped.field], self._known_countries)
            if note:
                self._notes.append(note)
        if order:
            self._settings[setting] = order
        return order

    def _order_in_points(self, mapped: MappedColumns) -> CoordinateOrder:
        setting = f"{mapped.field}.points"
        shown = order_in_points(self._samples[mapped.field], self._known_countries)
        if (shown or self._given.get(setting)) != "latlon":
            return "lonlat"
        self._settings[setting] = "latlon"
        self._notes.append(
            f"{mapped.field}: the points have latitude first, unlike those of GeoJSON, and are read so; "
            f"check a position. A profile (inspect --save) says so with {setting}"
        )
        return "latlon"

    def _is_unsigned(self, axis: Axis, mapped: MappedColumns) -> bool:
        setting = f"{axis}.sign"
        given = next((it for it in ("-", "+") if it == self._given.get(setting)), None)
        if given is None:
            is_named = names_negative_side(" ".join(mapped.columns), axis)
            if not (is_named and have_no_sign(CoordinateReader(axis), self._samples[axis])):
                return False
        self._settings[setting] = given or "-"
        if given == "+":
            return False
        side = "south" if axis == "latitude" else "west"
        why = "as the profile says" if given else f"because of the name {mapped.columns[0]}"
        self._notes.append(
            f"{axis}: numbers without a sign are read as {side}, {why}; check a "
            f'position. A profile (inspect --save) says so with {setting}, and "+" there reads them as they are'
        )
        return True

    def _letters(self, mapped: MappedColumns) -> Letters:
        setting = f"{mapped.field}.letters"
        given = self._given.get(setting)
        samples = (self._samples.get(name, ()) for name in ("latitude", "longitude", "location"))
        known: Letters = letters_of(*samples) if given is None else dict(_LETTER.findall(given))
        axis = {"latitude": "NS", "longitude": "EW"}.get(mapped.field, "NSEW")
        found = {letter: meaning for letter, meaning in known.items() if meaning in axis}
        if found:
            self._settings[setting] = ", ".join(f"{letter}={meaning}" for letter, meaning in found.items())
            read = ", ".join(f"{letter} is read as {meaning}" for letter, meaning in found.items())
            self._notes.append(f"{mapped.field}: {read}; a profile (inspect --save) says so with {setting}")
        o = self._meaning_of_o(mapped) if "E" in axis else ""
        return {**found, "O": o, "o": o} if o else found

    def _meaning_of_o(self, mapped: MappedColumns) -> MeaningOfO:
        setting = f"{mapped.field}.o"
        given = next((it for it in get_args(MeaningOfO) if it and it == self._given.get(setting)), None)
        names = [column for it in self._mapped for column in it.columns]
        found: MeaningOfO = given or meaning_of_o(self._samples[mapped.field], names, self._countries())
        if found:
            self._settings[setting] = found
            self._notes.append(
                f"{mapped.field}: O is read as {found}; a profile (inspect --save) says so with {setting}"
            )
        return found

    @cached_property
    def _known_countries(self) -> Collection[str]:
        """The countries of the file, by their column, or else by what shows them."""
        return self._countries() or shown_countries(self._samples)

    def _countries(self) -> Collection[str]:
        return {it for it in self._samples.get("country", ()) if isinstance(it, str)}
