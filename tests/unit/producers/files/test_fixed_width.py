"""Columns at fixed positions are refused, because each whole line would be a name; lists of names are not."""

from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.opening import open_table
from producers.files.table import Wishes

RULED = (
    "CODE NAME                 CITY       BEDS\n"
    "---- -------------------- ---------- ----\n"
    "A1   Oak Hospital         Aveda       120\n"
)
FIXED = {
    "ruled": RULED + "A2   Elm Hospital         Brusk        60\n",
    "one row": RULED,
    "equals": RULED.replace("-", "="),
    "positions": (
        "Code  Name            City      Beds\n"
        "A1    Oak Hospital    Aveda      120\n"
        "A2    Elm Clinic      Brusk       60\n"
    ),
    "no header": "A1    Oak Hospital    Aveda\nA2    Elm Clinic      Brusk\nA3    Ash Clinic      Corvo\n",
    "Spanish": (
        "CLAVE  NOMBRE              MUNICIPIO\n1      Clínica Médica      León\n2      Hospital San José   Ávila\n"
    ),
    "Cyrillic": "Код   Название            Город\n1     Больница            Омск\n2     Городская больница  Тула\n",
    "names first": (
        "Name              City\nOak Hospital      Aveda\nElm Clinic        Brusk\nAsh House         Corvo\n"
    ),
}
NAMES = {
    "names": ["Hospital name", "Oak Clinic", "Elm Hospital", "Ash House"],
    "two blanks": ["Hospital name", "Oak  Clinic", "Elm Hospital", "Ash House"],
    "two blanks elsewhere": ["Hospital name", "Oak  Clinic", "Old Elm  Hospital", "A  House", "Fir of  Dorn"],
    "numbered": ["Hospital", "1. Oak Clinic", "2. Elm Clinic", "3. Ash Clinic"],
    "indented": ["Hospital", "  Oak Clinic", "  Elm Clinic", "  Ash Clinic"],
}


@pytest.mark.parametrize("content", FIXED.values(), ids=FIXED)
def test_columns_at_fixed_positions_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FileError, match=r"its columns stand at fixed positions \(1, .*save it as CSV"):
        open_table(path)
    assert open_table(path, Wishes(delimiter=",")).columns


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_list_of_names_is_read(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\n".join([*names, ""]), encoding="utf-8")
    assert len(list(open_table(path).rows())) == len(names) - 1


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_cells_that_are_filled_up_with_blanks_are_read(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "list.txt"
    rows = [("code", "name", "city"), ("A1", "Oak Hospital", "Aveda"), ("A2", "Elm", "Brusk")]
    path.write_text("".join(mark.join(cell.ljust(15) for cell in row) + "\n" for row in rows), encoding="utf-8")
    assert len(open_table(path).columns) == 3
