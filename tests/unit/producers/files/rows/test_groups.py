"""A place in the first row of each group is noted, and not guessed for the rows below."""

from pathlib import Path

import pytest

from producers.files import HospitalFile


@pytest.mark.parametrize(
    ("states", "is_noted"),
    [
        (["North", "", "", "South", "", ""], True),
        (["North", "North", "", "South", "", ""], False),
        (["North", "", "", "", "", ""], False),
        (["North", "", "South", "", "East", ""], True),
        (["", "", "", "", "", ""], False),
    ],
)
def test_a_place_in_the_first_row_of_each_group(tmp_path: Path, states: list[str], is_noted: bool) -> None:
    path = tmp_path / "list.csv"
    path.write_text("State,Name\n" + "".join(f"{it},Clinic {number}\n" for number, it in enumerate(states)))
    file = HospitalFile.open(path)
    assert any("as if it stood for the rows below" in note for note in file.notes) is is_noted
    assert [row.record.state or "" for row in file.rows() if row.record is not None] == states


def test_a_hospital_of_a_name_that_an_earlier_row_has_is_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    groups = [(state, name) for state in ("North", "South") for name in ("Central", "Eye Clinic", "District")]
    path.write_text(
        "State,Name\n" + "".join(f"{state if name == 'Central' else ''},{name}\n" for state, name in groups)
    )
    file = HospitalFile.open(path)
    # Every pass says the same.
    first, rows = list(file.rows()), list(file.rows())
    assert first == rows
    assert [row.record is not None for row in rows] == [True, True, True, True, False, False]
    assert "its State may be another" in rows[4].reasons[0]
    assert file.rejected_row(6) is not None


def rows_of(path: Path, header: str, groups: list[list[str]], *, size: int, first_only: bool = True) -> None:
    """Write groups of rows; those below the first of a group have no cells in the columns of the group."""
    lines = [header]
    for cells in groups:
        for number in range(size):
            place = cells if number == 0 or not first_only else [""] * len(cells)
            name = f"{cells[0]} Hospital" if number == 0 else f"Health Center {number}"
            lines.append(";".join((*place, name, "public")))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("District;Name;Type", ["North", "South", "East", "West"]),
        ("Zone;Facility;Type", ["Zone A", "Zone B", "Zone C"]),
        ("Postcode;Name;Type", ["10115", "20095", "80331"]),
        ("Ville;Nom;Catégorie", ["Lyon", "Nice", "Paris", "Lille"]),
        ("Región;Nombre;Clase", ["Norte", "Sur", "Este"]),
        ("Kreis;Name;Art", ["Nord", "Süd", "Ost"]),
        ("市区町村;病院名;種別", ["北市", "南市", "東市"]),
    ],
)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_no_row_of_another_group_is_the_same(tmp_path: Path, header: str, values: list[str], size: int) -> None:
    path = tmp_path / "list.csv"
    rows_of(path, header, [[value] for value in values], size=size)
    file = HospitalFile.open(path)
    rows = list(file.rows())
    kept = [(row.record.hospital_name, row.record.city) for row in rows if row.record is not None]
    assert len(set(kept)) == len(kept)
    assert sum(row.record is None for row in rows) == (len(values) - 1) * (size - 1)
    assert any("as if it stood for the rows below" in note for note in file.notes)


@pytest.mark.parametrize(
    "cells",
    [
        # A city that is not known here and there, beside one that repeats; two rows of one group; a full column.
        ["Lyon", "Lyon", "", "Nice", "", ""],
        ["Lyon", "", "", "", "", ""],
        ["", "Lyon", "", "Nice", "", "Paris"],
        ["Lyon", "Nice", "Lyon", "Nice", "Lyon", "Nice"],
    ],
)
def test_what_is_no_group_is_read_as_before(tmp_path: Path, cells: list[str]) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Ville;Nom\n" + "".join(f"{cell};Clinique {at % 2}\n" for at, cell in enumerate(cells)))
    assert all(row.record is not None for row in HospitalFile.open(path).rows())


def test_a_repetition_within_a_group_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("District;Name\nNorth;Central\n;Eye Clinic\n;Eye Clinic\nSouth;Harbour\n;Ear Clinic\n")
    assert all(row.record is not None for row in HospitalFile.open(path).rows())
