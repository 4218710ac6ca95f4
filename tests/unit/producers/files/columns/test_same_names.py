"""Columns that the header calls alike are not silently one of them."""

from pathlib import Path

import pytest

from producers.files import HospitalFile


def opened(folder: Path, header: str, row: str) -> HospitalFile:
    path = folder / "list.csv"
    path.write_text("\n".join([header, *(row.format(number) for number in range(10, 20))]) + "\n")
    return HospitalFile.open(path)


@pytest.mark.parametrize(
    ("header", "row", "named"),
    [
        ("name,city,Beds,Beds,Beds", "Oak {0},Aveda,{0},1{0},2{0}", "Beds, Beds (4), Beds (5)"),
        ("name,Beds,BEDS,city", "Oak {0},{0},1{0},Aveda", "Beds, BEDS"),
        ("name,Lits,city,lits", "Oak {0},{0},Aveda,3", "Lits, lits"),
    ],
)
def test_beds_that_differ_are_not_read(tmp_path: Path, header: str, row: str, named: str) -> None:
    file = opened(tmp_path, header, row)
    assert file.columns.columns_of("beds") == ()
    (note,) = [note for note in file.notes if note.startswith("beds are not read")]
    assert f"are called alike and differ: {named}; each may have a part of them; to read one: --map beds=" in note


def test_the_total_beside_them_is_read(tmp_path: Path) -> None:
    file = opened(tmp_path, "name,Beds,Beds,city,Total beds", "Oak {0},{0},1{0},Aveda,2{0}")
    assert file.columns.columns_of("beds") == ("Total beds",)
    assert not [note for note in file.notes if note.startswith("beds")]


def test_columns_that_are_the_same_are_one(tmp_path: Path) -> None:
    file = opened(tmp_path, "name,Beds,city,Beds,city", "Oak {0},{0},Aveda {0},{0},Aveda {0}")
    assert file.columns.columns_of("beds") == ("Beds",)
    assert not [note for note in file.notes if "called" in note]


@pytest.mark.parametrize(
    ("header", "row", "note"),
    [
        (
            "name,city,owner,city",
            "Oak {0},Aveda {0},x,Brusk {0}",
            "city is read from city; other columns are called so",
        ),
        (
            "name,phone,x,y1,phone",
            "Oak {0},06123{0},1,2,07123{0}",
            "phone is read from phone; other columns are called",
        ),
    ],
)
def test_of_other_fields_a_note_says_which_is_read(tmp_path: Path, header: str, row: str, note: str) -> None:
    assert [it for it in opened(tmp_path, header, row).notes if it.startswith(note)]
