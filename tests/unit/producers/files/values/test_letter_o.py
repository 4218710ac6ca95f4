# ruff: noqa: RUF001  (letters of other scripts)
"""Hemispheres in other languages, and the letter O, which is west in some and east in others."""

from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.values import ValueWishes
from tests.support.columns import notes_of, read_column

LETTER = "!has a letter that is not a hemisphere"


@pytest.mark.parametrize(
    ("cell", "degrees"),
    [
        ("3,70 Ouest", -3.7), ("3.70 oeste", -3.7), ("3.7 Ovest", -3.7), ("3.7 West", -3.7), ("Väst 3.7", -3.7),
        ("13.4 Ost", 13.4), ("13.4° Est", 13.4), ("13.4 este", 13.4), ("13.4 Leste", 13.4), ("13.4 L", 13.4),
        ("37.6 В", 37.6), ("37°36' в.д.", 37.6), ("37.6 З", -37.6), ("106.8 BT", 106.8), ("106.8 BB", -106.8),
        ("\u22123.7", -3.7), ("\uff0d3.7", -3.7), ("\u20133.7", -3.7),
    ],
)  # fmt: skip
def test_a_longitude_in_another_language_is_read(cell: str, degrees: float) -> None:
    assert read_column("longitude", [cell]) == [pytest.approx(degrees)]


@pytest.mark.parametrize(
    ("cell", "degrees"),
    [
        ("55.7 С", 55.7),
        ("33.9 Ю", -33.9),
        ("41 Nord", 41.0),
        ("33 Sur", -33.0),
        ("33 Sul", -33.0),
        ("6.2 LS", -6.2),
    ],
)
def test_a_latitude_in_another_language_is_read(cell: str, degrees: float) -> None:
    assert read_column("latitude", [cell]) == [pytest.approx(degrees)]


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("c", ["3.7 O", "2.1 E"], [-3.7, 2.1]),
        ("c", ["3.7 O", "2.1 L"], [-3.7, 2.1]),
        ("c", ["13.4 O", "2.1 W"], [13.4, -2.1]),
        ("c", ["O 3°42'", "E 2°6'"], [-3.7, 2.1]),
        ("Longitud", ["3.7 O"], [-3.7]),
        ("longitudine", ["3.7 O"], [-3.7]),
        ("Länge", ["13.4 O"], [13.4]),
        ("Geogr. Länge", ["13°24'O"], [13.4]),
        # Nothing shows which one it is.
        ("longitude", ["3.7 O"], [LETTER]),
        ("c", ["3.7 O", "2.1 E", "2.1 W"], [LETTER, 2.1, -2.1]),
        # A zero that is typed as a letter.
        ("Longitud", ["1O.5"], [LETTER]),
    ],
)
def test_the_column_says_what_an_o_means(header: str, cells: list[str], expected: list[object]) -> None:
    found = read_column("longitude", cells, header=header)
    assert found == [it if isinstance(it, str) else pytest.approx(it) for it in expected]


def test_both_coordinates_of_a_cell_may_have_it() -> None:
    cells = ["40.4 N 3.7 O", "41.4 N 2.1 E", "39.9N, 4.2E"]
    assert read_column("location", cells)[:2] == [pytest.approx((40.4, -3.7)), pytest.approx((41.4, 2.1))]
    assert "O is read as W" in notes_of("location", cells)


def test_a_profile_says_it() -> None:
    wishes = ValueWishes(settings={"longitude.o": "E"})
    assert read_column("longitude", ["3.7 O"], wishes) == [3.7]


@pytest.mark.parametrize(
    ("header", "row", "position"),
    [
        ("Nombre;Latitud;Longitud", "Oak {0};40,{0} N;3,{0} O", (-3.1, 40.1)),
        ("Name;Breite;Länge", "Oak {0};52,{0} N;13,{0} O", (13.1, 52.1)),
        ("Название;Широта;Долгота", "Oak {0};55.{0} С;37.{0} В", (37.1, 55.1)),
        ("name;latitude;longitude", "Oak {0};\u221234.{0};\u221258.{0}", (-58.1, -34.1)),
        ("name;country;latitude;longitude", "Oak {0};Portugal;40.{0} N;8.{0} O", (-8.1, 40.1)),
        ("name;country;latitude;longitude", "Oak {0};Austria;48.{0} N;16.{0} O", (16.1, 48.1)),
        ("Nome;Latitude;Longitude", "Oak {0};40.{0} N;8.{0} O", (-8.1, 40.1)),
        ("Krankenhaus;latitude;longitude", "Oak {0};40.{0} N;8.{0} O", (8.1, 40.1)),
        ("Nombre;Ubicación", "Oak {0};40.{0} N, 3.{0} O", (-3.1, 40.1)),
    ],
)
def test_columns_of_such_cells_are_recognised(
    tmp_path: Path, header: str, row: str, position: tuple[float, float]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join([header, *(row.format(number) for number in range(1, 7))]) + "\n", "utf-8")
    first, *_ = HospitalFile.open(path, FileWishes()).rows()
    assert first.record is not None
    assert first.record.location is not None
    assert first.record.location.coordinates == pytest.approx(position)


def test_positions_that_are_all_outside_of_the_country_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [f"Oak {number},Kenya,-15.{number},-47.{number}" for number in range(10, 30)]
    path.write_text("\n".join(["name,country,lat,lon", *rows]) + "\n")
    file = HospitalFile.open(path)
    assert len(list(file.rows())) == 20
    assert "location: outside of the row's country (20 cells, first in line 2)" in file.notes
