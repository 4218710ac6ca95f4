"""Records of JSON that are lists: whether the first one has the names of the columns."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.table import Wishes

HOSPITALS = ["Oak Hospital", "Elm Clinic", "Ash Clinic"]
ROWS = [[1100060 + at, name, 116.35 + at, 39.93] for at, name in enumerate(HOSPITALS)]
TEXTS = [[str(cell) for cell in row] for row in ROWS]


def opened(folder: Path, document: object, wishes: FileWishes | None = None) -> HospitalFile:
    path = folder / "list.json"
    path.write_text(json.dumps(document))
    return HospitalFile.open(path, wishes)


def names_of(file: HospitalFile) -> list[str]:
    return [row.known["hospital_name"] for row in file.rows() if row.known is not None]


@pytest.mark.parametrize("rows", [ROWS, TEXTS])
def test_the_first_of_lists_without_names_is_a_hospital(tmp_path: Path, rows: Sequence[object]) -> None:
    file = opened(tmp_path, rows)
    assert "the first row is data, so the columns are numbered" in file.notes
    assert (names_of(file), file.lines) == (HOSPITALS, 3)


@pytest.mark.parametrize("names", [["code", "name", "lon", "lat"], ["kod", "xyz hospital", "x", "y"]])
def test_the_first_of_lists_is_their_header_if_it_has_names(tmp_path: Path, names: list[str]) -> None:
    mapping = {"hospital_name": names[1]}
    file = opened(tmp_path, {"data": [names, *ROWS]}, FileWishes(columns=ColumnWishes(mapping=mapping)))
    assert names_of(file) == HOSPITALS
    assert "numbered" not in " ".join(file.notes)


def test_the_user_says_whether_the_first_list_has_names(tmp_path: Path) -> None:
    numbered = FileWishes(reading=Wishes(header=False), columns=ColumnWishes(mapping={"hospital_name": "2"}))
    assert names_of(opened(tmp_path, [["code", "name", "lon", "lat"], *ROWS], numbered)) == ["name", *HOSPITALS]
    named = FileWishes(reading=Wishes(header=True), columns=ColumnWishes(mapping={"hospital_name": HOSPITALS[0]}))
    assert names_of(opened(tmp_path, ROWS, named)) == HOSPITALS[1:]
