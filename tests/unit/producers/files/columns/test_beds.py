"""Columns that may have the beds are named in a note, if none of them is read."""

from pathlib import Path

import pytest

from producers.files import HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.hospitals import FileWishes


def opened(folder: Path, header: str, cells: str, *, mapping: dict[str, str] | None = None) -> HospitalFile:
    path = folder / "list.csv"
    rows = (f"Oak {number};Aveda;{cells.format(number)}" for number in range(10, 20))
    path.write_text("\n".join([f"name;city;{header}", *rows]) + "\n")
    return HospitalFile.open(path, FileWishes(columns=ColumnWishes(mapping=mapping or {})))


def notes_on_beds(file: HospitalFile) -> list[str]:
    return [note for note in file.notes if note.startswith("beds")]


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("ICU beds;Maternity beds", "ICU beds, Maternity beds; to read one: --map beds="),
        ("Camas UCI;Notas", "Camas UCI;"),
        ("内科病床;备注", "内科病床;"),
    ],
)
def test_columns_that_may_have_beds_are_named(tmp_path: Path, header: str, named: str) -> None:
    file = opened(tmp_path, header, "1{0};2{0}")
    assert file.columns.columns_of("beds") == ()
    (note,) = notes_on_beds(file)
    assert f"beds are not read; columns that may have them, or a part of them: {named}" in note


@pytest.mark.parametrize(
    ("header", "cells", "mapping"),
    [
        # The beds are read, or shall not be.
        ("Beds;ICU beds", "1{0};{0}", {}),
        ("Beds;ICU beds", "1{0};{0}", {"beds": ""}),
        # A text on beds, and a column that is empty.
        ("ICU beds;Notes", "yes;2{0}", {}),
        ("ICU beds;Notes", ";2{0}", {}),
        ("Bedfordshire number;Notes", "1{0};2{0}", {}),
    ],
)
def test_nothing_is_said_where_no_beds_are_missing(
    tmp_path: Path, header: str, cells: str, mapping: dict[str, str]
) -> None:
    assert not notes_on_beds(opened(tmp_path, header, cells, mapping=mapping))


@pytest.mark.parametrize("header", ["Beds Sanctioned", "Cama", "Bed_Capacity"])
def test_names_of_beds_are_known(tmp_path: Path, header: str) -> None:
    assert opened(tmp_path, f"{header};Notes", "1{0}.0;x").columns.columns_of("beds") == (header,)


def test_a_thousand_with_a_blank_and_a_fraction_is_no_pair_of_coordinates(tmp_path: Path) -> None:
    file = opened(tmp_path, "Bed_Capacity;Notes", "1 0{0}.0;x")
    assert [row.known["beds"] for row in file.rows() if row.known][:2] == [1010, 1011]


@pytest.mark.parametrize(
    ("header", "cells", "says"),
    [
        (
            "Aktív ágyszám;Krónikus ágyszám;Minden ágy",
            "1{0};5;2{0}",
            "beds are read from Aktív ágyszám; the numbers of Minden ágy",
        ),
        ("Beds;ICU beds", "1{0};2", ""),
        ("Beds;Doctors", "1{0};2{0}", ""),
    ],
)
def test_larger_numbers_beside_the_beds_are_named(tmp_path: Path, header: str, cells: str, says: str) -> None:
    assert [note.startswith(says) for note in notes_on_beds(opened(tmp_path, header, cells))] == [True] * bool(says)


def test_all_beds_in_hungarian_come_before_a_part(tmp_path: Path) -> None:
    file = opened(tmp_path, "Aktív ágyszám;Krónikus ágyszám;Összes ágyszám", "1{0};5;2{0}")
    assert file.columns.columns_of("beds") == ("Összes ágyszám",)
