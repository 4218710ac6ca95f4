from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.generator import expected_truth, write_rows
from worker.demo.recount import distinct_hospitals


def opened(path: Path, text: str, source: str | None = None) -> HospitalFile:
    path.write_text(text, encoding="utf-8")
    return HospitalFile.open(path, FileWishes(columns=ColumnWishes(source=source)))


def test_the_count_of_a_generated_file_is_that_of_an_import(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    write_rows(path, "csv", 5_000, 3)
    file = HospitalFile.open(path)
    rejected = {row.line for row in file.rows() if row.record is None}
    assert distinct_hospitals(file, rejected) == expected_truth(5_000, 3).created


@pytest.mark.parametrize(("rejected", "expected"), [((), 3), ((4,), 2)])
def test_rows_of_one_identity_are_one_hospital_and_rejected_lines_none(
    tmp_path: Path, rejected: tuple[int, ...], expected: int
) -> None:
    text = "name,city\nMill Hospital,Oster\nMILL  hospital,Oster\nMill Hospital,Wester\nDune Clinic,NULL\n"
    assert distinct_hospitals(opened(tmp_path / "list.csv", text), rejected) == expected


def test_a_hospital_that_the_reader_loses_is_still_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'name,city\n"Mill\nHospital",Oster\nDune Clinic,Wester\n'
    file = opened(tmp_path / "list.csv", text)
    monkeypatch.setattr(file, "rows", lambda: iter(()))
    assert distinct_hospitals(file, ()) == 2


def test_placeholders_are_no_identifiers(tmp_path: Path) -> None:
    rows = "".join(f"{code},Hospital {code} {number},Oster\n" for number, code in enumerate(("A1", "A2", "0", "0")))
    assert distinct_hospitals(opened(tmp_path / "list.csv", "hospital_code,name,city\n" + rows, "mill"), ()) == 4


def test_other_formats_are_counted_by_their_reader(tmp_path: Path) -> None:
    file = opened(tmp_path / "list.ndjson", '{"name": "Mill Hospital"}\n{"name": "Dune Clinic"}\n')
    assert distinct_hospitals(file, ()) == 2


def test_a_row_that_is_quoted_as_a_whole_is_counted_by_its_cells(tmp_path: Path) -> None:
    rows = "name,city,phone\n" + "".join(
        f'"{name},""Oster, north"",{number}"\n' for number, name in enumerate(("Mill Hospital", "Dune Clinic"))
    )
    file = opened(tmp_path / "list.csv", rows + "Elm Hospital,Wester,7\n")
    assert {row.record.hospital_name for row in file.rows() if row.record is not None} == {
        "Mill Hospital", "Dune Clinic", "Elm Hospital",
    }  # fmt: skip
    assert distinct_hospitals(file, ()) == 3


def test_an_open_quote_hides_no_other_hospital(tmp_path: Path) -> None:
    text = 'name,city\n"Mill Hospital,Oster\nDune Clinic,"Wester"\n\n"Elm\nHospital",Oster\nSt "The" B,Oster\n'
    file = opened(tmp_path / "list.csv", text)
    rejected = {row.line for row in file.rows() if row.record is None}
    assert rejected == {2}
    assert distinct_hospitals(file, rejected) == 3
