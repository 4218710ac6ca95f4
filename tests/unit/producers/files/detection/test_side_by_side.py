"""Tables side by side are not read as one: half of the hospitals would be missed."""

from pathlib import Path

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.table import Wishes

TWO = "Code,Name,City,,Code,Name,City\n1,Oak,Aveda,,3,Ash,Aveda\n2,Elm,Brusk,,4,Yew,Brusk\n"


def test_tables_side_by_side_are_refused_unless_one_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(TWO)
    with pytest.raises(FileError, match="has 2 tables with the same columns side by side"):
        HospitalFile.open(path)
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(mapping={"hospital_name": "Name (6)"})))
    assert [row.record.hospital_name for row in file.rows() if row.record is not None] == ["Ash", "Yew"]


@pytest.mark.parametrize(
    "text",
    [
        # Joined with itself, a column twice, and the years of one list.
        "Code,Name,Code,Name\n1,Oak,1,Oak\n2,Elm,2,Elm\n",
        "Name,City,City\nOak,Aveda,Aveda\nElm,Brusk,Brusk\n",
        "Name,beds,staff,beds,staff\nOak,1,2,3,4\nElm,5,6,7,8\n",
    ],
)
def test_names_that_stand_twice_are_no_two_tables(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    records = [row.record for row in HospitalFile.open(path).rows()]
    assert [it.hospital_name for it in records if it is not None] == ["Oak", "Elm"]


def test_a_table_without_any_column_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "list.ndjson"
    path.write_bytes(b"\x01")
    with pytest.raises(FileError, match="none of its rows can be read"):
        HospitalFile.open(path, FileWishes(reading=Wishes(format="ndjson")))
