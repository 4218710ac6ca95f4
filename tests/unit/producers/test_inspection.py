from pathlib import Path

from producers.files import HospitalFile
from producers.inspection import inspect_file


def test_reasons_with_texts_of_rows_take_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,city\nOak,Aveda\n" + "".join(f"Elm,Brusk,{number}\n" for number in range(1_500)))
    found = inspect_file(HospitalFile.open(path), lambda _: None)
    assert (found.rejected, found.reasons.total()) == (1_500, 1_500)
    assert (len(found.reasons), found.reasons["other reasons"]) == (1_001, 500)
