"""Coordinates without a sign, whose column or country says that they are south or west."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.values.unsigned import names_negative_side


def read(
    folder: Path, header: str, row: str, settings: dict[str, str] | None = None
) -> tuple[list[Any], HospitalFile]:
    """Return the positions of eight rows, latitude first, and their file. `{0}` in the row is its number."""
    path = folder / "list.csv"
    rows = [f"Oak {number};{row.format(number)}" for number in range(1, 9)]
    path.write_text("\n".join([f"name;{header}", *rows]) + "\n")
    file = HospitalFile.open(path)
    if settings:
        profile = replace(file.profile, values={**file.profile.values, **settings})
        file = HospitalFile.open(path, FileWishes().by_profile(profile))
    return [row.known["location"]["coordinates"][::-1] for row in file.rows() if row.known], file


@pytest.mark.parametrize(
    ("column", "axis", "says"),
    [
        ("Longitud Oeste", "longitude", True),
        ("Longitude (West)", "longitude", True),
        ("Longitude W", "longitude", True),
        ("Lintang Selatan", "latitude", True),
        ("latitud_sur", "latitude", True),
        ("Latitude N/S", "latitude", False),
        ("Longitude East/West", "longitude", False),
        ("Longitude", "longitude", False),
        ("Longitude WGS84", "longitude", False),
        ("Bujur Timur", "longitude", False),
        ("Latitude (W)", "latitude", False),
    ],
)
def test_the_name_of_a_column_says_the_side(column: str, axis: Any, says: bool) -> None:
    assert names_negative_side(column, axis) is says


def test_numbers_without_a_sign_are_read_as_the_name_says(tmp_path: Path) -> None:
    found, file = read(tmp_path, "Latitud Sur;Longitud Oeste", "12.{0};77.{0}")
    assert found[0] == [-12.1, -77.1]
    assert len([note for note in file.notes if "numbers without a sign are read as" in note]) == 2
    assert (file.profile.values["latitude.sign"], file.profile.values["longitude.sign"]) == ("-", "-")


@pytest.mark.parametrize(
    ("row", "first"),
    [
        ("-12.{0};-77.{0}", [-12.1, -77.1]),
        ("12.{0} N;77.{0} E", [12.1, 77.1]),
        ("12.{0}°S;77.{0}°W", [-12.1, -77.1]),
    ],
)
def test_signs_and_letters_come_before_the_name(tmp_path: Path, row: str, first: list[float]) -> None:
    found, file = read(tmp_path, "Latitud Sur;Longitud Oeste", row)
    assert found[0] == first
    assert not [note for note in file.notes if "without a sign" in note]


def test_one_sign_is_enough_to_read_all_numbers_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [f"Oak {number};12.{number};{'-' if number == 5 else ''}77.{number}" for number in range(1, 9)]
    path.write_text("\n".join(["name;Latitud;Longitud Oeste", *rows]) + "\n")
    file = HospitalFile.open(path)
    places = [row.known["location"]["coordinates"][0] for row in file.rows() if row.known]
    assert (places[0], places[4]) == (77.1, -77.5)
    assert not [note for note in file.notes if "without a sign" in note]


def test_a_profile_may_say_otherwise(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "Latitud Sur;Longitud Oeste", "12.{0};77.{0}", {"longitude.sign": "+"})
    assert found[0] == [-12.1, 77.1]
    found, _ = read(tmp_path, "Latitud;Longitud", "12.{0};77.{0}", {"latitude.sign": "-"})
    assert found[0] == [-12.1, 77.1]


@pytest.mark.parametrize(
    ("header", "row", "axes"),
    [
        ("State;Latitude;Longitude", "Texas;31.{0};97.{0}", ["longitude"]),
        ("Country;Latitude;Longitude", "Zambia;15.{0};28.{0}", ["latitude"]),
        ("Phone;Latitude;Longitude", "+51 1 400 10 0{0};12.{0};77.{0}", ["latitude", "longitude"]),
        ("State;Latitude;Longitude", "Texas;31.{0};-97.{0}", []),
        ("State;Latitude;Longitude", "Nowhere;31.{0};97.{0}", []),
        # Neither as they are nor otherwise.
        ("State;Latitude;Longitude", "Texas;51.{0};0.{0}", []),
    ],
)
def test_numbers_that_lack_a_sign_by_their_country_are_noted(
    tmp_path: Path, header: str, row: str, axes: list[str]
) -> None:
    _, file = read(tmp_path, header, row)
    found = [note for note in file.notes if "only if its numbers are negative" in note]
    assert [note.partition(":")[0] for note in found] == axes
    assert not [note for note in file.notes if "swapped" in note]
