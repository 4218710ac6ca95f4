"""Which sheet of a workbook is the list of hospitals, beside others that are longer."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from producers.files import FileError, HospitalFile
from producers.files.opening import open_table

Sheets = dict[str, list[list[Any]]]
FIELDS = ["Code", "Name", "City", "Beds", "Phone"]
FEW = [[f"A{number}", f"Oak {number}", "Aveda", number, f"0{number}55123"] for number in range(4)]
PEOPLE = [[f"Ana {number}", "Aveda", f"0{number}55987"] for number in range(90)]


def save(folder: Path, sheets: Sheets) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(folder / "list.xlsx")
    return folder / "list.xlsx"


def monthly(name: str) -> list[list[Any]]:
    return [[name, "Month", "Cases"], *[[f"Oak {at % 4}", at // 4 + 1, at] for at in range(48)]]


@pytest.mark.parametrize(
    ("sheets", "read"),
    [
        # A table of people, places or other things that has a name, a town and a telephone, too.
        ({"Hospitals": [FIELDS, *FEW], "Médicos": [["Nombre", "Ciudad", "Teléfono"], *PEOPLE]}, "Hospitals"),
        ({"Ärzte 2024": [["Name", "Ort", "Telefon"], *PEOPLE], "Häuser": [FIELDS, *FEW]}, "Häuser"),
        (
            {"薬局一覧": [["名称", "市町村", "電話番号"], *PEOPLE], "病院": [["名称", "市町村"], ["Oak", "A"]]},
            "病院",
        ),
        ({"List of pharmacies": [["Name", "City", "Phone"], *PEOPLE], "Data": [FIELDS, *FEW]}, "Data"),
        ({"Communes": [["Nom", "Code", "Région"], *PEOPLE], "FINESS": [["Nom", "Lits"], ["Oak", 4]]}, "FINESS"),
        # Not known by its own name, but the other one is.
        ({"Hôpitaux": [["Nom", "Ville"], ["Oak", "A"]], "X": [["Nom", "Ville", "Tél"], *PEOPLE]}, "Hôpitaux"),
        # An explanation of the columns, whatever it is called.
        (
            {
                "A": [FIELDS, *FEW],
                "B": [["Campo", "Descripción", "Tipo"], *[[f"c{at}", "x", "t"] for at in range(40)]],
            },
            "A",
        ),
        (
            {
                "D": [["Spalte", "Bedeutung", "Name"], *[["a", "b", f"c{at}"] for at in range(40)]],
                "E": [FIELDS, *FEW],
            },
            "E",
        ),
        # Figures by month.
        (
            {"Reports": monthly("Facility"), "Register": [["Facility", "District", "Phone"], *PEOPLE[:5]]},
            "Register",
        ),
        ({"Meldungen": monthly("Name"), "Stamm": [FIELDS, *FEW]}, "Stamm"),
        # Positions without a header.
        ({"P": [[at, at + 0.5, at + 0.25, at, at, at] for at in range(60)], "Q": [FIELDS, *FEW]}, "Q"),
        # The newest of several years.
        ({"2022": [FIELDS, *FEW], "2023": [FIELDS, *FEW[:3]], "2024": [FIELDS, *FEW[:2]]}, "2024"),
        ({"KH 2019": [FIELDS, *FEW], "KH 2021": [FIELDS, *FEW[:2]]}, "KH 2021"),
        # What must stay as it is: the longest of those for which as much speaks.
        ({"North": [FIELDS, *FEW[:2]], "South": [FIELDS, *FEW]}, "South"),
        ({"Hospitals": [FIELDS, *FEW], "Hospitals 2019": [FIELDS, *FEW[:2]]}, "Hospitals"),
        (
            {"Municipality of Aveda": [FIELDS, *FEW], "Municipality of Brusk": [FIELDS, *FEW[:2]]},
            "Municipality of Aveda",
        ),
        (
            {
                "Contacts": [["Hospital name", "City", "Phone"], *PEOPLE],
                "Legend": [["Code", "Name"], [1, "public"]],
            },
            "Contacts",
        ),
        ({"Pharmacies": [["Name", "City"], ["Oak", "A"]]}, "Pharmacies"),
    ],
)
def test_the_sheet_of_the_hospitals_is_read_before_a_longer_one(tmp_path: Path, sheets: Sheets, read: str) -> None:
    assert open_table(save(tmp_path, sheets)).dialect.sheet == read


@pytest.mark.parametrize(
    ("sheets", "unread"),
    [
        ({"Hospitals": [FIELDS, *FEW], "Doctors": [["Name", "City", "Phone"], *PEOPLE]}, []),
        ({"Hospitals": [FIELDS, *FEW], "Wards": [FIELDS, *FEW * 3]}, []),
        ({"2022": [FIELDS, *FEW], "2023": [FIELDS, *FEW[:3]]}, ["2022"]),
        ({"Public": [FIELDS, *FEW], "Private": [FIELDS, *FEW[:3]]}, ["Private"]),
        # Both are lists of hospitals, with other columns.
        ({"A": [["Hospital name", "Beds", "Pin code"], *FEW], "B": [["Clinic", "Town", "Phone"], *FEW[:3]]}, ["B"]),
    ],
)
def test_sheets_that_are_lists_of_hospitals_too_are_named(
    tmp_path: Path, sheets: Sheets, unread: list[str]
) -> None:
    assert HospitalFile.open(save(tmp_path, sheets)).unread == unread


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        (
            {"Doctors": [["Name", "City"], *PEOPLE], "Pharmacies": [["Name", "City"], *PEOPLE]},
            "seems to be a list of hospitals: 'Doctors', 'Pharmacies'; if one is, name it with --sheet",
        ),
        (
            {"P": [["Lat", "Lon"], [1.5, 2.5]], "Q": [["X"], ["y"]]},
            "; this is its sheet 'P', --sheet chooses another: 'Q'",
        ),
        ({"P": [["Lat", "Lon"], [1.5, 2.5]]}, "; this is its sheet 'P'"),
    ],
)
def test_a_refusal_names_the_sheets(tmp_path: Path, sheets: Sheets, message: str) -> None:
    with pytest.raises(FileError) as caught:
        HospitalFile.open(save(tmp_path, sheets))
    assert str(caught.value).endswith(message)
