"""Rows of departments and years, whose beds are not those of the hospital."""

from pathlib import Path

import pytest

from producers.files.hospitals import HospitalFile


def _notes(folder: Path, beds: list[list[int]]) -> list[str]:
    rows = [
        f"{code + 10},Oak Hospital {code},Aveda,{department},{number}"
        for code, numbers in enumerate(beds)
        for department, number in enumerate(numbers)
    ]
    path = folder / "list.csv"
    path.write_text("\n".join(["Hospital Code,Hospital,City,Department,Beds", *rows]), encoding="utf-8")
    file = HospitalFile.open(path)
    assert len(list(file.rows())) == len(rows)
    return [note for note in file.notes if "differ in beds" in note]


def test_rows_of_one_hospital_that_differ_in_beds_are_noted(tmp_path: Path) -> None:
    (note,) = _notes(tmp_path, [[20, 30, 5], [10, 10, 10], [40, 7, 7]])
    assert "share one Hospital Code differ in beds (hospitals: 2; first: 10 has 20 and 30)" in note
    assert note.endswith("--map beds=")


@pytest.mark.parametrize("beds", [[[20], [30], [40]], [[20, 20], [30, 30]]])
def test_rows_that_agree_in_beds_are_not(tmp_path: Path, beds: list[list[int]]) -> None:
    assert _notes(tmp_path, beds) == []
