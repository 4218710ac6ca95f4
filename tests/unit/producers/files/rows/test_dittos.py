"""A ditto mark is read as the value of the row above, and never stored as a place."""

from pathlib import Path

import pytest

from producers.files import HospitalFile


def read(path: Path, lines: list[str]) -> HospitalFile:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return HospitalFile.open(path)


def cities(file: HospitalFile) -> list[str | None]:
    return [row.record.city if row.record is not None else None for row in file.rows()]


@pytest.mark.parametrize(
    "mark",
    [
        "idem", "Idem", "IDEM", "ídem", "id.", "ditto", "Ditto", "-do-", "-DO-", "do.", "dito", "dto.",
        "同上", "〃", "仝上",
        "상동", "то же", "jak wyżej", "come sopra", "-//-", '""""', "''", "”", "wie oben",
    ],
)  # fmt: skip
def test_the_value_above_is_taken(tmp_path: Path, mark: str) -> None:
    file = read(
        tmp_path / "list.csv",
        [
            "Name,City,State",
            "A Clinic,Lyon,Rhône",
            f"B Clinic,{mark},Rhône",
            f"C Clinic,{mark},Rhône",
            "D,Nice,Var",
        ],
    )
    assert cities(file) == ["Lyon", "Lyon", "Lyon", "Nice"]
    assert any(
        "City: 2 ditto marks are read as the value of the row above (first in line 3)" in it for it in file.notes
    )
    # Every pass, and the rows to correct, say the same.
    assert cities(file) == ["Lyon", "Lyon", "Lyon", "Nice"]
    assert [raw.fields["City"] for raw in file.raw_rows()] == ["Lyon", "Lyon", "Lyon", "Nice"]
    assert len(list(file.some_rows())) == 2


@pytest.mark.parametrize("field", ["Address", "County", "State", "Owner", "Postcode"])
def test_every_field_of_a_place_is_filled_in(tmp_path: Path, field: str) -> None:
    file = read(tmp_path / "list.csv", [f"Name,{field}", "A Clinic,10115 X", "B Clinic,ditto", "C Clinic,20095 Y"])
    rows = [row.known for row in file.rows()]
    assert any(note.startswith(f"{field}: 1 ditto mark is read") for note in file.notes)
    assert not any("ditto" in str(known) for known in rows)


def test_a_mark_without_a_value_above_is_left_out_and_reported(tmp_path: Path) -> None:
    file = read(
        tmp_path / "list.csv", ["Name,City,Type", "A Clinic,ditto,x", "B Clinic,Nice,x", "C,,x", "D,ditto,x"]
    )
    rows = list(file.rows())
    assert [row.known["city"] if row.known and "city" in row.known else None for row in rows] == [
        None,
        "Nice",
        None,
        None,
    ]
    assert [[cell.field for cell in row.left_out] for row in rows] == [["city"], [], [], ["city"]]


def test_a_hospital_is_not_called_ditto(tmp_path: Path) -> None:
    file = read(tmp_path / "list.csv", ["Name,City", "A Clinic,Nice", "ditto,Lyon", "C Clinic,Lyon"])
    assert [row.known is None for row in file.rows()] == [False, True, False]


@pytest.mark.parametrize("value", ["Do", "Same", "Id", "ID", "Dito Town", "Idem Hill", "DTO", "Doo", "Idemia"])
def test_a_place_that_looks_like_a_mark_stays(tmp_path: Path, value: str) -> None:
    file = read(tmp_path / "list.csv", ["Name,City", "A Clinic,Lyon", f"B Clinic,{value}", "C Clinic,Nice"])
    assert cities(file) == ["Lyon", value, "Nice"]
    assert not any("ditto" in note for note in file.notes)


def test_idaho_is_a_state(tmp_path: Path) -> None:
    file = read(tmp_path / "list.csv", ["Name,State", "A Clinic,Ore.", "B Clinic,Id.", "C Clinic,Wash."])
    assert [row.known and row.known["state"] for row in file.rows()] == ["Ore.", "Id.", "Wash."]
