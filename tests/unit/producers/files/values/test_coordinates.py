# ruff: noqa: RUF001  (cells in many scripts)

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from producers.files.values import MISSING, ValueWishes, choose_readers
from tests.support.columns import Column, Mapped, notes_of, read_column, read_rows

SWAPPED = "!is out of range; perhaps latitude and longitude are swapped"
METRES = "!is not in degrees"
NO = "!is not a coordinate"
LETTER = "!has a letter that is not a hemisphere"
UNCLEAR = "!may be latitude, longitude or longitude, latitude"
PARIS = (48.85, 2.35)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("48.85", 48.85), ("-34.6253368", -34.6253368), ("48,85", 48.85), ("-34,6253368", -34.6253368),
        (" 48.85 ", 48.85),
        ("+48.85", 48.85), ("48", 48.0), ("48.", 48.0), (".5", 0.5), ("48.85°", 48.85), ("1.0e-05", 1e-05),
        ("−34.5", -34.5),
        ("٤٨٫٨٥", 48.85), ("４８．８５", 48.85), ("0", 0.0), ("48.857", 48.857), ("48,857", 48.857),
        ("N 51.1", 51.1), ("51.1 N", 51.1), ("51.1N", 51.1), ("S 6.5", -6.5), ("6.5° South", -6.5),
        ("55.75 с.ш.", 55.75),
        ("北緯35度41分22秒", 35 + 41 / 60 + 22 / 3600), ("lat: 48.5", 48.5), ("Latitude 48.5", 48.5),
        ("48°51'24\"N", 48 + 51 / 60 + 24 / 3600), ("48° 51′ 24.6″ S", -(48 + 51 / 60 + 24.6 / 3600)),
        ("48º51’24”N", 48 + 51 / 60 + 24 / 3600), ("48°51'24''N", 48 + 51 / 60 + 24 / 3600),
        ("48°51,4'N", 48 + 51.4 / 60),
        ("48d51m24s", 48 + 51 / 60 + 24 / 3600), ("48d51m24s S", -(48 + 51 / 60 + 24 / 3600)),
        ("48°51'24 S", -(48 + 51 / 60 + 24 / 3600)),
        ("48 51 24 N", 48 + 51 / 60 + 24 / 3600), ("48:51:24", 48 + 51 / 60 + 24 / 3600),
        ("-34 37 31", -(34 + 37 / 60 + 31 / 3600)),
        ("106.8", SWAPPED), ("-118.2", SWAPPED), ("448251.9", METRES), ("5411932.6", METRES),
        ("48856614", METRES),
        ("488.566.140", "!has separators that a spreadsheet has put"),
        ("E 2.35", "!has the hemisphere of a longitude"),
        ("48°51'60\"", 48 + 51 / 60 + 60 / 3600), ("48°60'", 48 + 60 / 60),
        ("48°51'61\"", "!has minutes or seconds"),
        ("O 5", LETTER), ("abc", LETTER), ("48°61'", "!has minutes or seconds"), ("48 51", NO),
        ("48.85.3", NO), ("1,048.5", NO),
        ("-51.1 N", "!has both a sign and a hemisphere"), ("N 51 N", NO), ("485124N", METRES),
        ("NA", MISSING), ("null", MISSING), ("-", MISSING), ("-999", MISSING), ("-999.0", MISSING),
        ("9999", MISSING), ("", MISSING),
        (48.85, 48.85), (48, 48.0), (Decimal("48.85"), 48.85), (None, MISSING), (float("nan"), MISSING),
        (-999, MISSING),
        (True, "!is yes or no, not a number"), (float("inf"), METRES), ([1], "!is not a number"),
    ],
)  # fmt: skip
def test_a_latitude_is_read(cell: object, value: Any) -> None:
    (found,) = read_column("latitude", [cell])
    if isinstance(value, str):
        assert isinstance(found, str)
        assert found.startswith(value)
    else:
        assert found == pytest.approx(value) if isinstance(value, float) else found is value


def test_a_longitude_has_limits_of_its_own() -> None:
    assert read_column("longitude", ["106.8", "W 0.6", "180"]) == [106.8, -0.6, 180.0]
    assert read_column("longitude", ["181"])[0] == "!is out of range; perhaps counted from 0 to 360"
    assert read_column("longitude", ["N 1"])[0].startswith("!has the hemisphere of a latitude")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("48.85, 2.35", PARIS), ("(48.85, 2.35)", PARIS), ("48.85,2.35", PARIS), ("48.85 2.35", PARIS),
        ("48.85;2.35", PARIS),
        ("48.85 / 2.35", PARIS), ("48,85; 2,35", PARIS), ("48,85, 2,35", PARIS), ("48,85 2,35", PARIS),
        ("lat: 48.85, lon: 2.35", PARIS),
        ("Longitude: 2.35 Latitude: 48.85", PARIS), ("48.85N, 2.35E", PARIS), ("E 2.35, N 48.85", PARIS),
        ("N48.85 E2.35", PARIS),
        ("48°51'00\"N 2°21'00\"E", PARIS), ("48°51'N, 2°21'E", PARIS), ("2°21'E48°51'N", PARIS),
        ("48 51 0 N 2 21 0 E", PARIS),
        ("POINT (2.35 48.85)", PARIS), ("POINT(2.35 48.85)", PARIS), ("SRID=4326;POINT(2.35 48.85)", PARIS),
        ("SRID=4258;POINT(2.35 48.85)", PARIS),
        ("POINT Z (2.35 48.85 30)", PARIS), ('{"type":"Point","coordinates":[2.35,48.85]}', PARIS),
        ('{"lat": 48.85, "lng": 2.35}', PARIS),
        ("0101000000CDCCCCCCCCCC0240CDCCCCCCCC6C4840", PARIS),
        ("0101000020E6100000CDCCCCCCCCCC0240CDCCCCCCCC6C4840", PARIS),
        ("1 Main Street\nParis\n(48.85, 2.35)", PARIS),
        ({"type": "Point", "coordinates": [2.35, 48.85]}, PARIS),
        ({"type": "Point", "coordinates": (2.35, 48.85, 30)}, PARIS),
        ({"latitude": "48.85", "longitude": "2.35", "human_address": ""}, PARIS),
        ({"lat": 48.85, "lon": 2.35}, PARIS),
        ({"type": "Point", "coordinates": [Decimal("2.35"), Decimal("48.85")]}, PARIS),
        ("", MISSING), ("-", MISSING), ("NULL", MISSING), ("POINT EMPTY", MISSING), ({}, MISSING),
        (None, MISSING),
        ({"type": "Point", "coordinates": []}, MISSING), ({"latitude": None, "longitude": None}, MISSING),
        ({"latitude": "48.85", "longitude": None}, "!has only one coordinate"), ("-999, -999", MISSING),
        ("SRID=3857;POINT(2.35 48.85)", "!is in another coordinate system"),
        ("MULTIPOINT ((2.35 48.85))", PARIS), ("MULTIPOINT (2.35 48.85)", PARIS),
        ({"type": "MultiPoint", "coordinates": [[2.35, 48.85]]}, PARIS),
        ("MULTIPOINT ((2 48), (3 48))", "!is a shape"),
        ({"type": "MultiPoint", "coordinates": [[2, 48], [3, 48]]}, "!is a shape"),
        ("POLYGON((1 2, 3 4, 5 6, 1 2))", "!is a shape"), ({"type": "Polygon", "coordinates": []}, "!is a shape"),
        ("448251.9, 5411932.6", METRES), ("48,85", "!may be one number"), ("48", "!is not a position"),
        ("Paris", "!is not a position"),
        ("1, 2, 3", "!is not a position"), ("{broken", "!is not a position"),
        ([1, 2, 3, 4], "!is not a position"), (5, "!is not a position"),
        ({"a": 1}, "!is not a position"), ("[2.35, 48.85]", UNCLEAR), ([2.35, 48.85], UNCLEAR),
        ("[106.8, -6.5]", (-6.5, 106.8)),
        ("50.07N14.43E", (50.07, 14.43)), ("N50.07E14.43", (50.07, 14.43)), ("W 70.5; S 33.25", (-33.25, -70.5)),
        ("Pointe-à-Pitre", "!is not a position"),
    ],
)  # fmt: skip
def test_both_coordinates_in_one_cell_are_read(cell: object, value: Any) -> None:
    (found,) = read_column("location", [cell])
    if isinstance(value, str):
        assert isinstance(found, str)
        assert found.startswith(value)
    else:
        assert found == pytest.approx(value) if isinstance(value, tuple) else found is value


@pytest.mark.parametrize(
    ("header", "cells", "first"),
    [
        ("c", ["11.6, 92.7"], (11.6, 92.7)),
        ("c", ["2.35, 48.85", "106.8, -6.5"], (48.85, 2.35)),
        ("c", ["48.85, 2.35", "11.6, 92.7"], PARIS),
        ("lonlat", ["2.35, 48.85"], PARIS),
        ("geo_point_2d", ["48.85, 2.35"], PARIS),
        ("经纬度", ["2.35,48.85"], PARIS),
        ("緯度経度", ["48.85,2.35"], PARIS),
        ("lonlat", ["[2.35, 48.85]"], PARIS),
        ("geometry", ["c(2.35, 48.85)"], PARIS),
        ("c", ["c(2.35, 48.85)"], UNCLEAR),
        ("c", ["48.85, 2.35", "106.8, -6.5", "11.6, 92.7"], UNCLEAR),
        ("lonlat", ["11.6, 45.7", "11.8, 92.6"], (11.6, 45.7)),
    ],
)
def test_the_order_is_decided_by_ranges_then_by_name(header: str, cells: list[object], first: object) -> None:
    assert read_column("location", cells, header=header)[0] == first


@pytest.mark.parametrize(
    ("country", "cells", "position"),
    [
        ("France", ["2.35, 48.85"], (2.35, 48.85)),
        ("FR", ["48.85, 2.35"], (2.35, 48.85)),
        ("France", ["[2.35, 48.85]", "[7.7, 48.6]"], (2.35, 48.85)),
        ("Atlantis", ["48.85, 2.35"], (2.35, 48.85)),
        ("Turkey", ["39.9, 38.5"], (38.5, 39.9)),
    ],
)
def test_the_order_is_decided_by_the_countries(
    country: str, cells: list[str], position: tuple[float, float]
) -> None:
    rows = [{"n": "A", "c": country, "w": cell} for cell in cells]
    record = read_rows({"hospital_name": "n", "country": "c", "location": "w"}, rows)[0].record
    assert record is not None
    assert record.location is not None
    assert record.location.coordinates == position


def test_a_cell_in_the_other_order_is_not_turned_round() -> None:
    wishes = ValueWishes(settings={"location.order": "latlon"})
    assert read_column("location", ["106.8, -6.5"], wishes) == [SWAPPED]


def test_an_order_that_no_row_shows_is_noted() -> None:
    assert "no row shows the order" in notes_of("location", ["48.85, 2.35"])
    assert "none is read" in notes_of("location", ["[48.85, 2.35]"])
    assert "contradict" in notes_of("location", ["106.8, -6.5", "-6.5, 106.8"])
    assert notes_of("location", ["11.6, 92.7"]) == ""


@pytest.mark.parametrize("name", ["lat_long", "latlng", "緯度経度", "위경도"])
def test_a_name_that_says_the_order_holds_for_lists_in_brackets_too(name: str) -> None:
    cells = ["[-1.3, 36.8]", "[-1.4, 36.9]"]
    (value, _) = read_column("location", cells, header=name)
    assert value == (-1.3, 36.8)
    assert notes_of("location", cells, header=name) == ""
    # A list of GPS coordinates may be GeoJSON, which has longitude first.
    assert "none is read" in notes_of("location", cells, header="gps")


NAMES = {"hospital_name": "n", "latitude": "lat", "longitude": "lon"}


def outcomes(rows: list[tuple[object, object]]) -> list[object]:
    """Return for each row its position, None, or what was left out of it and why."""
    read = read_rows(NAMES, [{"n": "A", "lat": lat, "lon": lon} for lat, lon in rows])
    assert all(row.record for row in read)
    return [
        row.record.location.coordinates
        if row.record and row.record.location
        else [f"{it.field}: {it.reason}" for it in row.left_out] or None
        for row in read
    ]


@pytest.mark.parametrize(
    ("latitude", "longitude", "outcome"),
    [
        ("10.5", "20.5", (20.5, 10.5)),
        ("-34,6", "-58,5", (-58.5, -34.6)),
        ("", "", None),
        ("NA", "NA", None),
        ("-999", "-999", None),
        ("10.5", "", ["latitude: has no longitude beside it that could be read"]),
        ("", "20.5", ["longitude: has no latitude beside it that could be read"]),
        ("10.5", "x", [f"longitude: {LETTER[1:]}", "latitude: has no longitude beside it that could be read"]),
        ("x", "x", [f"latitude: {LETTER[1:]}", f"longitude: {LETTER[1:]}"]),
        ("0.00000000", "0.00000000", ["location: 0, 0 means that the position is not known"]),
        (0, 0, ["location: 0, 0 means that the position is not known"]),
        ("0", "32.58", (32.58, 0.0)),
        ("106.8", "-6.5", [f"latitude: {SWAPPED[1:]}", "longitude: has no latitude beside it that could be read"]),
        ("448251.9", "5411932.6", [
            "latitude: is not in degrees; perhaps metres of a projection, or degrees without their decimal point",
            "longitude: is not in degrees; perhaps metres of a projection, or degrees without their decimal point",
        ]),
    ],
)  # fmt: skip
def test_a_position_needs_both_coordinates(latitude: object, longitude: object, outcome: object) -> None:
    assert outcomes([(latitude, longitude)]) == [outcome]


INDIA = [(str(8 + n * 0.5), str(70 + n * 0.3)) for n in range(50)]


def test_a_swapped_position_among_many_is_found_by_its_neighbours() -> None:
    found = outcomes([*INDIA, ("77.2", "28.6"), ("48.85", "2.35")])
    assert found[-2] == ["location: is far from all others; perhaps latitude and longitude are swapped"]
    assert found[-1] == (2.35, 48.85)
    assert found[0] == (70.0, 8.0)


def test_few_positions_show_no_region() -> None:
    assert outcomes([*INDIA[:3], ("77.2", "28.6")])[-1] == (28.6, 77.2)


def test_swapped_columns_are_noted() -> None:
    rows = [{"n": "A", "lat": "106.8", "lon": "-6.5"}, {"n": "B", "lat": "107.1", "lon": "-6.9"}]
    left_out = read_rows(NAMES, rows)[0].left_out
    assert left_out[0].reason == SWAPPED[1:]
    readers = choose_readers(
        [Mapped("latitude", ("lat",)), Mapped("longitude", ("lon",))],
        {"lat": Column(["106.8", "107.1"]), "lon": Column(["-6.5", "-6.9"])},
        ValueWishes(),
    )
    assert readers.notes == (
        "latitude and longitude seem to be swapped: give --map latitude=lon --map longitude=lat",
    )


def sexagesimal(degrees: float, letters: str) -> str:
    hemisphere = letters[degrees < 0]
    whole, rest = divmod(abs(degrees), 1)
    minutes, seconds = divmod(rest * 60, 1)
    return f"{int(whole)}°{int(minutes)}'{seconds * 60:.9f}\"{hemisphere}"


FORMS: dict[str, Callable[[float, float], object]] = {
    "plain": lambda lat, lon: f"{lat!r}, {lon!r}",
    "comma": lambda lat, lon: f"{lat:.9f}; {lon:.9f}".replace(".", ","),
    "wkt": lambda lat, lon: f"POINT({lon:.9f} {lat:.9f})",
    "json": lambda lat, lon: f'{{"type": "Point", "coordinates": [{lon!r}, {lat!r}]}}',
    "letters": lambda lat, lon: f"{sexagesimal(lat, 'NS')} {sexagesimal(lon, 'EW')}",
    "reversed": lambda lat, lon: f"{lon:.9f} {lat:.9f}",
    "list": lambda lat, lon: [lon, lat],
}


@given(
    st.lists(st.tuples(st.floats(-89.9, 89.9), st.floats(-179.9, 179.9)), min_size=1, max_size=10),
    st.sampled_from(sorted(FORMS)),
)
def test_a_position_is_read_as_it_was_written_or_not_at_all(
    positions: list[tuple[float, float]], form: str
) -> None:
    header = "lonlat" if form == "reversed" else "location"
    cells = [FORMS[form](*position) for position in positions]
    for (latitude, longitude), found in zip(positions, read_column("location", cells, header=header), strict=True):
        if isinstance(found, tuple):
            assert math.isclose(found[0], latitude, abs_tol=1e-6)
            assert math.isclose(found[1], longitude, abs_tol=1e-6)
        else:
            assert isinstance(found, str)


@given(st.floats(-90, 90), st.sampled_from([".", ","]), st.integers(0, 12))
def test_a_coordinate_is_read_with_either_decimal_sign(degrees: float, sign: str, decimals: int) -> None:
    cell = f"{degrees:.{decimals}f}"
    assert read_column("latitude", [cell.replace(".", sign)]) == [float(cell)]


@given(st.text(max_size=40))
# These are an "s" and an "i" to a pattern that ignores case.
@example("12.5 \u017f")
@example("\u0131 12.5")
def test_any_text_is_a_coordinate_missing_or_not_readable(text: str) -> None:
    (found,) = read_column("latitude", [text])
    assert found is MISSING or isinstance(found, str | float)
    (found,) = read_column("location", [text])
    assert found is MISSING or isinstance(found, str | tuple)
