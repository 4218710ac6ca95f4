from pathlib import Path

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.inspection import inspect_file


def test_reasons_with_texts_of_rows_take_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,city\nOak,Aveda\n" + "".join(f"Elm,Brusk,{number}\n" for number in range(1_500)))
    found = inspect_file(HospitalFile.open(path), lambda _: None)
    assert (found.rejected, found.reasons.total()) == (1_500, 1_500)
    assert (len(found.reasons), found.reasons["other reasons"]) == (1_001, 500)


def test_a_total_below_a_short_list_does_not_cost_its_identifier(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,facility_id,city,beds\nOak,A1,Aveda,3\nElm,A2,Brusk,4\nTOTAL,,,7\n")
    found = inspect_file(HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="moh"))), lambda _: None)
    assert (found.rows, found.rejected, found.by_id) == (3, 1, 2)
