"""Names of several hospitals, of rows for trial, and with codes in place of letters are loaded and noted."""

from pathlib import Path

import pytest

from producers.files.rows.unlikely_names import has_codes, is_for_trial, names_several
from tests.support.written_lists import opened


@pytest.mark.parametrize(
    ("name", "several"),
    [
        ("Oak Hospital; Elm Clinic", True),
        ("Oak Hospital \u2022 Elm Clinic \u2022 Ash Hospital", True),
        ("1. Oak Hospital 2. Elm Clinic", True),
        ("Hospital del Norte, Clínica Sur, Hospital Este", True),
        # One in two languages, one with its place, and one with a number.
        ("Hôpital Nord / North Hospital", False),
        ("Oak Hospital, Aveda, Brusk", False),
        ("Oak Hospital, General Hospital", False),
        ("Oak Hospital; Aveda", False),
        ("Oak Hospitals Ltd | Oak Clinic", False),
        ("Hospital Aveda - 3. private hospital", False),
        ("Hospital No. 1", False),
        ("1. Oak Hospital", False),
        ("", False),
    ],
)
def test_names_of_several_hospitals_are_known(name: str, several: bool) -> None:
    assert names_several(name) is several


@pytest.mark.parametrize(
    ("name", "is_trial"),
    [
        ("Test Hospital", True),
        ("TEST", True),
        ("Dummy clinic 2", True),
        ("Hospital Prueba", True),
        ("Oak Clinic (do not use)", True),
        ("Oak Clinic - DUPLICATE", True),
        ("Больница (тест)", True),
        ("Test Valley Hospital", False),
        ("Oak Test Centre for Blood", False),
        ("Demopolis Hospital", False),
        ("St. Useful Hospital", False),
        ("", False),
    ],
)
def test_names_of_rows_for_trial_are_known(name: str, is_trial: bool) -> None:
    assert is_for_trial(name) is is_trial


@pytest.mark.parametrize(
    ("name", "coded"),
    [
        ("Cl\\u00ednica Sur", True),
        ("Cl\\xc3\\xadnica", True),
        ("H%C3%B4pital%20Nord", True),
        ('=HYPERLINK("https://example.org","Oak Hospital")', True),
        ("Oak Hospital (100% private)", False),
        ("A\\B Hospital", False),
        ("= Oak Hospital", False),
        ("", False),
    ],
)
def test_names_with_codes_are_known(name: str, coded: bool) -> None:
    assert has_codes(name) is coded


def test_such_rows_are_loaded_and_noted(tmp_path: Path) -> None:
    rows = [f"K{number},Oak Clinic {number},Aveda" for number in range(4)]
    names = ["Test hospital", "Elm Clinic; Ash Hospital", "Cl\\u00ednica Sur"]
    odd = [f"K1{number},{name},Brusk" for number, name in enumerate(names)]
    file = opened(tmp_path, "Code,Name,City", *rows, *odd)
    assert len([row for row in file.rows() if row.known is not None]) == 7
    notes = [note for note in file.notes if note.startswith("1 row is called")]
    assert [note.split(" and loaded")[0] for note in notes] == [
        "1 row is called like a row for trial",
        "1 row is called like several hospitals",
        "1 row is called by a name with codes in place of letters",
    ]
    assert all(f"in line {line}" in note for line, note in zip((6, 7, 8), notes, strict=True))
