"""Coordinates in parts: degrees, minutes and seconds in columns of their own."""

from pathlib import Path
from typing import Any

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.columns.angle_parts import angle_parts


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ("Lat_Deg|Lat_Min|Lat_Sec", "Lat_Deg|Lat_Min|Lat_Sec"),
        ("LatD|LatM|LatS|LatDir", "LatD|LatM|LatS|LatDir"),
        ("Latitude (degrees)|Latitude (minutes)", "Latitude (degrees)|Latitude (minutes)"),
        ("Latitud segundos|Latitud minutos|Latitud grados", "Latitud grados|Latitud minutos|Latitud segundos"),
        ("Grados Latitud|Minutos Latitud", "Grados Latitud|Minutos Latitud"),
        ("Широта градусы|Широта минуты|Широта секунды", "Широта градусы|Широта минуты|Широта секунды"),
        ("Lat_Deg|Lat_Sec", ""),
        ("Lat Min|Lat Max", ""),
        ("latitude_deg|longitude_deg", ""),
        ("Degrees|Minutes|Latitude", ""),
        ("Staff Min|Staff Deg", ""),
    ],
)
def test_the_parts_are_found_by_name(columns: str, parts: str) -> None:
    assert angle_parts("latitude", columns.split("|")) == (tuple(parts.split("|")) if parts else ())


def read(
    folder: Path, header: str, *rows: str, mapping: dict[str, str] | None = None
) -> tuple[list[Any], HospitalFile]:
    """Return the positions of these rows, latitude first, rounded."""
    path = folder / "list.csv"
    path.write_text("\n".join([f"name;{header}", *(f"Oak {at};{row}" for at, row in enumerate(rows))]) + "\n")
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(mapping=mapping or {})))
    places = [row.known.get("location") if row.known else None for row in file.rows()]
    return [it and tuple(round(degrees, 4) for degrees in reversed(it["coordinates"])) for it in places], file


def test_degrees_minutes_and_seconds_are_joined_with_a_note(tmp_path: Path) -> None:
    header = "Lat_Deg;Lat_Min;Lat_Sec;Long_Deg;Long_Min;Long_Sec"
    found, file = read(tmp_path, header, "-15;20;30;28;17;12,5", "-15.0;24.0;0.0;28.0;30.0;0.0", "-16;30;;29;15;")
    assert found == [(-15.3417, 28.2868), (-15.4, 28.5), (-16.5, 29.25)]
    assert [note for note in file.notes if note.startswith("latitude is joined from Lat_Deg, Lat_Min, Lat_Sec")]
    assert not [column for column in file.columns.left_out if column.startswith("L")]


def test_the_hemisphere_may_have_a_column_of_its_own(tmp_path: Path) -> None:
    header = "Lat Dir;Lat Deg;Lat Min;Lon Dir;Lon Deg;Lon Min"
    found, _ = read(tmp_path, header, "S;15;30;E;28;15", "N;1;30;W;0;15")
    assert found == [(-15.5, 28.25), (1.5, -0.25)]


@pytest.mark.parametrize(
    "row", ["15;;30;28;17;12", "15.34;20;30;28;17;12", "15;61;30;28;17;12", "fifteen;20;30;28;17;12"]
)
def test_parts_that_are_no_position_are_left_out_and_reported(tmp_path: Path, row: str) -> None:
    header = "Lat_Deg;Lat_Min;Lat_Sec;Long_Deg;Long_Min;Long_Sec"
    found, file = read(tmp_path, header, "15;20;30;28;17;12", row, ";;;;;")
    assert found[1:] == [None, None]
    (second, third) = [row.left_out for row in file.rows()][1:]
    assert [cell.field for cell in second][:1] == ["latitude"]
    assert not third


def test_a_column_with_whole_coordinates_comes_first(tmp_path: Path) -> None:
    header = "Latitude;Longitude;Lat_Deg;Lat_Min;Long_Deg;Long_Min"
    found, file = read(tmp_path, header, "15.5;28.25;15;30;28;15")
    assert found == [(15.5, 28.25)]
    assert not [note for note in file.notes if "joined" in note]


def test_they_may_be_left_out(tmp_path: Path) -> None:
    header = "Lat_Deg;Lat_Min;Long_Deg;Long_Min"
    found, _ = read(tmp_path, header, "15;30;28;15", mapping={"latitude": "", "longitude": ""})
    assert found == [None]


def test_a_profile_reads_them_likewise(tmp_path: Path) -> None:
    header = "Lat_Deg;Lat_Min;Long_Deg;Long_Min"
    found, file = read(tmp_path, header, "15;30;28;15")
    again = HospitalFile.open(tmp_path / "list.csv", FileWishes().by_profile(file.profile))
    assert [row.known["location"]["coordinates"][::-1] for row in again.rows() if row.known] == [list(found[0])]


def test_minutes_and_seconds_do_not_show_where_the_hospitals_are(tmp_path: Path) -> None:
    header = "Lat_Deg;Lat_Min;Lat_Sec;Long_Deg;Long_Min;Long_Sec"
    rows = [f"5;5{number % 9};50;70;5{number % 9};50" for number in range(24)]
    found, file = read(tmp_path, header, *rows, "70;10;0;5;10;0")
    assert found[0] == (5.8472, 70.8472)
    # It is found by its neighbours.
    assert found[-1] is None
    assert "swapped" in [row.left_out for row in file.rows()][-1][0].reason
