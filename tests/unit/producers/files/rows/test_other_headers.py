"""Headers of other tables among the rows, with names that nobody knows."""

from pathlib import Path

import pytest

from producers.files import HospitalFile
from producers.files.rows.second_headers import IS_OTHER_HEADER
from tests.support.lists.writing import workbook

HEADER = ["Code", "Name", "City", "Beds"]
ROWS = [[f"K{number}", f"Oak {number}", f"Aveda {number}", str(number * 5)] for number in range(1, 10)]


@pytest.mark.parametrize("is_workbook", [False, True])
@pytest.mark.parametrize("rows_above", [4, 9])
@pytest.mark.parametrize(
    "second",
    [
        ["Hospital", "Licence No", "Town", "Nurses"],
        ["Nom", "Code", "Commune", "Médecins"],
        ["Nazwa", "Kod", "Miasto", "Lekarze"],
        ["Code", "Name", "City", "Doctors"],
        ["Name", "Wards", "City", "Phone"],
        ["Facility", "Place", "Staff", "Theatres"],
        ["Name", "Town", "", ""],
        ["", "Type", "Number of hospitals", "Beds"],
    ],
)
def test_rows_below_a_header_with_an_unknown_word_are_not_read_by_the_first(
    tmp_path: Path, second: list[str], rows_above: int, *, is_workbook: bool
) -> None:
    path = tmp_path / "list"
    rows = [*ROWS[:rows_above], second, ["Elm", "X1", "Brusk", "7"], HEADER, ["K20", "Ash", "Corvo", "8"]]
    text = "".join(";".join(row) + "\n" for row in [HEADER, *rows]).encode()
    path.write_bytes(workbook([], HEADER, rows) if is_workbook else text)
    read = list(HospitalFile.open(path).rows())
    assert read[rows_above].reasons == (IS_OTHER_HEADER,)
    assert f"in line {rows_above + 2}" in read[rows_above + 1].reasons[0]
    assert [row.record.hospital_name for row in read if row.record][-1] == "Ash"


@pytest.mark.parametrize(
    "line",
    [
        ["", "City Hospital", "Town", "none"],
        ["K20", "Clinic", "City", ""],
        ["", "Clinic", "City", ""],
        ["Oak", "Clinic", "", ""],
        ["ABC", "Clinic", "Aveda", ""],
        ["", "Health Centre", "Place", "many"],
        ["K20", "Name", "City", "7"],
    ],
)
def test_a_hospital_without_a_digit_is_no_header(tmp_path: Path, line: list[str]) -> None:
    path = tmp_path / "list.csv"
    path.write_text("".join(";".join(row) + "\n" for row in [HEADER, *ROWS, line, ["K21", "Ash", "Corvo", "8"]]))
    assert [row.reasons for row in HospitalFile.open(path).rows() if row.reasons] == []
