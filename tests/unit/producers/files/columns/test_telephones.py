"""A telephone number in several columns is joined, and a part of one is not a telephone number."""

from pathlib import Path

import pytest

from producers.files import HospitalFile
from tests.support.tables import choose, fields


@pytest.mark.parametrize(
    ("header", "rows", "phones"),
    [
        ("phone1,phone2", ["011,891-1555", "021,555-0100"], ["011 891-1555", "021 555-0100"]),
        ("電話1,電話2,電話3", ["03,5285,1181", "06,6312,8831"], ["03 5285 1181", "06 6312 8831"]),
        ("Tel 1,Tel 2", ["030,450-50", "040,7410-0"], ["030 450-50", "040 7410-0"]),
        ("area_code,phone", ["617,555-0100", "212,555-0199"], ["617 555-0100", "212 555-0199"]),
        ("STD Code,Phone No", ["011,26588500", "022,24136051"], ["011 26588500", "022 24136051"]),
        ("Vorwahl,Telefon", ["030,450 50", "089,4400 0"], ["030 450 50", "089 4400 0"]),
        ("DDD,Telefone", ["11,26617000", "21,25628811"], ["11 26617000", "21 25628811"]),
        ("LADA,Teléfono", ["55,54870900", "33,36683000"], ["55 54870900", "33 36683000"]),
        ("市外局番,電話番号", ["03,5285-1181", "06,6312-8831"], ["03 5285-1181", "06 6312-8831"]),
        ("telefone,telefone_2", ["(11),26617000", "(21),25628811"], ["(11) 26617000", "(21) 25628811"]),
    ],
)
def test_parts_are_joined(tmp_path: Path, header: str, rows: list[str], phones: list[str]) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"name,{header}\n" + "".join(f"Clinic {at},{row}\n" for at, row in enumerate(rows)), "utf-8")
    file = HospitalFile.open(path)
    assert [row.known and row.known["phone"] for row in file.rows()] == phones
    assert any(note.startswith("phone is joined from") for note in file.notes)


def test_a_number_that_lacks_a_part_is_left_out_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = "".join(f"Clinic {at},0{at % 9},555-010{at % 9}\n" for at in range(30))
    path.write_text(f"name,area code,phone\n{rows}Last,,555-0199\n", "utf-8")
    *_, last = HospitalFile.open(path).rows()
    assert [cell.reason for cell in last.left_out] == ["lacks a part of the telephone number"]


@pytest.mark.parametrize(
    ("header", "rows", "phone"),
    [
        # Two whole numbers, an extension, a code beside whole numbers, one of a district.
        ("phone1,phone2", [["617 555 0100", "617 555 0101"], ["212 555 0199", "212 555 0198"]], "phone1"),
        ("phone,ext", [["617 555 0100", "12"], ["212 555 0199", "34"]], "phone"),
        ("area code,phone", [["617", "(617) 555-0100"], ["212", "(212) 555-0199"]], "phone"),
        ("std code,phone", [["011", "01126588500"], ["022", "02224136051"]], "phone"),
        ("district code,phone", [["11", "555-0100"], ["22", "555-0199"]], "phone"),
        ("phone", [["12345"], ["23456"]], "phone"),
        ("contact phone,phone", [["555 0100", "555 0101"], ["555 0199", "555 0198"]], "phone"),
        ("Contact Tel.,Tel.", [["555 0100", "555 0101"], ["555 0199", "555 0198"]], "Tel."),
        ("Contact Telephone,Telephone", [["555 0100", "555 0101"], ["555 0199", "555 0198"]], "Telephone"),
    ],
)
def test_whole_numbers_stay(header: str, rows: list[list[str]], phone: str) -> None:
    columns = choose(["name", *header.split(",")], [[f"Clinic {at}", *row] for at, row in enumerate(rows)])
    assert fields(columns)["phone"] == phone


@pytest.mark.parametrize("cells", [["011", "022"], ["12", "3456"], ["112", "112"], ["+49", "+43"]])
def test_a_few_digits_are_no_telephone_number(cells: list[str]) -> None:
    columns = choose(["name", "phone"], [[f"Clinic {at}", cell] for at, cell in enumerate(cells)])
    assert "phone" not in fields(columns)
    assert any("too short for a telephone number" in note for note in columns.notes)


@pytest.mark.parametrize(
    ("cell", "phone"),
    [
        ("т.: 8 (495) 123-45-67", "8 (495) 123-45-67"),
        ("Тел. 044 123 45 67", "044 123 45 67"),
        ("Tel.: 030 45050", "030 45050"),
        ("Tél : 01 40 27 30 00", "01 40 27 30 00"),
        ("Ph: +91 11 2658", "+91 11 2658"),
        ("Tlf. 22 11 80 80", "22 11 80 80"),
        ("Tower 2, 555 0100", "Tower 2, 555 0100"),
        ("A12345", "A12345"),
        ("Telex 12345", "Telex 12345"),
    ],
)
def test_the_word_for_a_telephone_is_left_out(tmp_path: Path, cell: str, phone: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f'name;phone\nA;"{cell}"\nB;030 450 50\nC;030 450 51\n', "utf-8")
    assert next(iter(HospitalFile.open(path).rows())).known["phone"] == phone  # type: ignore[index]
