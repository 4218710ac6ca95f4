"""Positions that are judged by where the other hospitals of the list are."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from producers.files import HospitalFile

SWAPPED = "is far from all others; perhaps latitude and longitude are swapped"
COLUMNS = pytest.mark.parametrize("columns", ["coordinates", "lat;lon"])


def left_out(path: Path, columns: str, positions: Sequence[tuple[object, object]]) -> list[tuple[str, str]]:
    """Return the name and the reason of each position that is left out of a list."""
    joined = "{};{}" if columns == "lat;lon" else "{}, {}"
    rows = [f"Clinic {number};{joined.format(*position)}" for number, position in enumerate(positions)]
    path.write_text("\n".join([f"name;{columns}", *rows]) + "\n")
    rows_read = HospitalFile.open(path).rows()
    return [(str(row.fields["name"]), it.reason) for row in rows_read for it in row.left_out]


@COLUMNS
@pytest.mark.parametrize("count", [4, 5, 10, 18, 30])
def test_a_swapped_position_is_found_by_its_neighbours(count: int, columns: str, tmp_path: Path) -> None:
    right = [(f"{40 + place / 10:.3f}", f"{-75 - place / 10:.3f}") for place in range(count)]
    found = left_out(tmp_path / "list.csv", columns, [*right, ("-75.03", "40.03")])
    assert found == [(f"Clinic {count}", SWAPPED)]


@COLUMNS
@pytest.mark.parametrize(
    "positions",
    [
        # Cairo, where latitude and longitude are alike, with Alexandria, Aswan, Siwa and Hurghada.
        [*[(30.05, 31.25)] * 6, (31.2, 29.92), (24.09, 32.9), (29.2, 25.52), (27.26, 33.81)],
        # Towns all over the world.
        [(51.5, -0.1), (35.7, 139.7), (-33.9, 151.2), (40.7, -74.0), (-1.3, 36.8), (1.3, 103.8)],
        # Nigeria, from Lagos to Maiduguri.
        [(6.5, 3.4), (6.6, 3.3), (6.5, 3.5), (6.4, 3.4), (6.5, 3.3), (11.8, 13.2), (9.1, 7.4)],
    ],
)
def test_hospitals_far_from_the_others_of_a_short_list_stay(
    positions: list[tuple[float, float]], columns: str, tmp_path: Path
) -> None:
    assert left_out(tmp_path / "list.csv", columns, positions) == []


SAID = "latitude and longitude seem to be swapped: give --map latitude=lon --map longitude=lat"
POLAND = [(52.23 + place / 50, 21.01 - place / 50) for place in range(8)]
FLORIDA = [(27.95 + place / 50, -82.46 + place / 50) for place in range(8)]
SPAIN = [(37.39 + place / 50, -5.99 - place / 50) for place in range(8)]


def notes(path: Path, more: str, positions: Sequence[tuple[float, float]]) -> list[str]:
    """Return what is said of swapped columns in a list whose rows have one more column: `name=value`."""
    column, _, value = more.partition("=")
    rows = [f"Clinic {number};{value};{lat:.4f};{lon:.4f}" for number, (lat, lon) in enumerate(positions)]
    path.write_text("\n".join([f"name;{column};lat;lon", *rows]) + "\n")
    return [note for note in HospitalFile.open(path).notes if "swapped" in note]


@pytest.mark.parametrize(
    ("more", "positions"),
    [
        ("Phone=+48 12 400 10 00", POLAND),
        ("Phone=0048124001000", POLAND),
        ("State=mazowieckie", POLAND),
        ("Województwo=MAŁOPOLSKIE", POLAND),
        ("Address=Lwowska 178, 33-100 Tarnów, Poland", POLAND),
        ("Country=Poland", POLAND),
        ("State=Andalucía", SPAIN),
        # No hospital is at 82 degrees south, although this is a latitude.
        ("beds=12", FLORIDA),
    ],
)
def test_columns_that_are_swapped_in_a_whole_list_are_noted(
    tmp_path: Path, more: str, positions: list[tuple[float, float]]
) -> None:
    swapped = [(lon, lat) for lat, lon in positions]
    assert notes(tmp_path / "list.csv", more, swapped) == [SAID]
    assert notes(tmp_path / "list.csv", more, positions) == []


@pytest.mark.parametrize("more", ["beds=12", "Phone=12 400 10 00", "State=Nowhere", "Phone=+39 06 400 10 00"])
def test_where_nothing_shows_the_country_nothing_is_said(tmp_path: Path, more: str) -> None:
    # These are in Oman then, where hospitals are.
    assert notes(tmp_path / "list.csv", more, [(lon, lat) for lat, lon in POLAND]) == []


def test_a_part_of_the_latitudes_beyond_the_poles_is_enough(tmp_path: Path) -> None:
    rows = [(-98.5, 29.4), (-97.7, 30.3), *[(lon, lat) for lat, lon in SPAIN]]
    assert notes(tmp_path / "list.csv", "beds=12", rows) == [SAID]
    # One of ten may be a slip.
    assert notes(tmp_path / "list.csv", "beds=12", rows[1:]) == []


@pytest.mark.parametrize(
    ("more", "cells"),
    [("Phone=+254 20 400 10 0{0}", "36.8{0}, -1.2{0}"), ("State=Nairobi", "36.8{0}, -1.2{0}")],
)
def test_what_shows_the_country_shows_the_order_in_one_cell(tmp_path: Path, more: str, cells: str) -> None:
    column, _, value = more.partition("=")
    path = tmp_path / "list.csv"
    rows = [f"Clinic {number};{value.format(number)};{cells.format(number)}" for number in range(1, 8)]
    path.write_text("\n".join([f"name;{column};coordinates", *rows]) + "\n")
    (first, *_) = [row.known for row in HospitalFile.open(path).rows() if row.known is not None]
    assert first["location"]["coordinates"] == [36.81, -1.21]
