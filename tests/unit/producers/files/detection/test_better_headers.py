"""Numbers, technical names, titles and notes above the names of the columns."""

from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.rows.second_headers import HAS_NUMBERS, IN_OTHER_WORDS
from producers.files.table import Wishes
from tests.support.lists.writing import workbook

HEADER = ["Code", "Name", "City", "Beds"]
ROWS = [[f"K{number}", f"Oak {number}", f"Aveda {number}", str(number * 5)] for number in range(1, 10)]


def written(path: Path, rows: list[list[str]], *, is_workbook: bool) -> HospitalFile:
    text = "".join(",".join(row) + "\n" for row in rows).encode()
    path.write_bytes(workbook([], rows[0], rows[1:]) if is_workbook else text)
    return HospitalFile.open(path)


@pytest.mark.parametrize("is_workbook", [False, True])
@pytest.mark.parametrize(
    "above",
    [
        [["0", "1", "2", "3"]],
        [["1", "2", "3", "4"]],
        [["CO_UNIDADE", "NO_FANT", "CO_MUN", "QT_LEITO"]],
        [["id_etab", "lib_etab", "lib_com", "nb_lit"]],
        [["Ministry of Health", "Hospitals", "2024", ""]],
        [["List of clinics", "Northland", "2024", "v1"]],
        [["Register", "March", "2024", ""], ["draft", "v2", "internal", ""]],
        [["Key", f"value {number}", "", ""] for number in range(14)],
    ],
)
@pytest.mark.parametrize("names", [HEADER, ["Código", "Nombre", "Ciudad", "Camas"]])
def test_the_names_of_the_columns_are_below_lines_that_look_like_some(
    tmp_path: Path, above: list[list[str]], names: list[str], *, is_workbook: bool
) -> None:
    file = written(tmp_path / "list", [*above, names, *ROWS], is_workbook=is_workbook)
    assert list(file.statistics) == names
    assert [row.record.beds if row.record else None for row in file.rows()] == [5 * n for n in range(1, 10)]
    assert [note for note in file.notes if "above the header" in note]


@pytest.mark.parametrize("first", [0, 1])
def test_a_program_numbers_its_rows_as_well(tmp_path: Path, first: int) -> None:
    numbered = [[str(at), *row] for at, row in enumerate([HEADER, *ROWS])]
    rows = [["", *(str(first + at) for at in range(4))], *numbered]
    file = written(tmp_path / "list.csv", rows, is_workbook=False)
    assert [row.record.beds for row in file.rows() if row.record] == [5 * n for n in range(1, 10)]


@pytest.mark.parametrize("header", [None, False])
@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_columns_are_no_hospital_without_a_header(
    tmp_path: Path, first: int, *, header: bool | None
) -> None:
    path = tmp_path / "list.csv"
    rows = [[str(first + at) for at in range(4)], *ROWS]
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    columns = ColumnWishes(mapping={"hospital_name": "2"})
    file = HospitalFile.open(path, FileWishes(reading=Wishes(header=header), columns=columns))
    # Nothing is skipped where the user says that the first line is data.
    assert [row.reasons for row in file.rows()] == [
        *([(HAS_NUMBERS,)] if header is False else []),
        *[()] * len(ROWS),
    ]


@pytest.mark.parametrize(
    "second",
    [
        ["Facility Code", "Facility Name", "Town", "Number of beds"],
        ["Código", "Nombre", "Ciudad", "Camas"],
        ["Name", "Code", "Beds", "City"],
    ],
)
def test_no_table_is_between_two_headers(tmp_path: Path, second: list[str]) -> None:
    file = written(tmp_path / "list.csv", [HEADER, second, *ROWS], is_workbook=False)
    assert [row.reasons for row in file.rows()] == [(IN_OTHER_WORDS,), *[()] * len(ROWS)]


@pytest.mark.parametrize(
    "rows",
    [
        [HEADER, *ROWS],
        [HEADER, ["Clinic", "City Hospital", "Town", "4"], *ROWS],
        [HEADER, ["1", "Elm", "Brusk", "4"], *ROWS],
        [["Code", "Name", "City", "2024"], *ROWS],
    ],
)
def test_a_header_stays_where_no_better_one_is_below(tmp_path: Path, rows: list[list[str]]) -> None:
    file = written(tmp_path / "list.csv", rows, is_workbook=False)
    assert list(file.statistics) == rows[0]
    assert sum(row.record is not None for row in file.rows()) == len(rows) - 1
