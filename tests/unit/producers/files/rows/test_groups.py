"""A place in the first row of each group is noted, and not guessed for the rows below."""

from pathlib import Path

import pytest

from producers.files import HospitalFile


@pytest.mark.parametrize(
    ("states", "is_noted"),
    [
        (["North", "", "", "South", "", ""], True),
        (["North", "North", "", "South", "", ""], False),
        (["North", "", "", "", "", ""], False),
        (["North", "", "South", "", "East", ""], False),
        (["", "", "", "", "", ""], False),
    ],
)
def test_a_place_in_the_first_row_of_each_group(tmp_path: Path, states: list[str], is_noted: bool) -> None:
    path = tmp_path / "list.csv"
    path.write_text("State,Name\n" + "".join(f"{it},Clinic {number}\n" for number, it in enumerate(states)))
    file = HospitalFile.open(path)
    assert any(note.startswith("State is in few rows") for note in file.notes) is is_noted
    assert [row.record.state or "" for row in file.rows() if row.record is not None] == states


def test_a_hospital_of_a_name_that_an_earlier_row_has_is_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    groups = [(state, name) for state in ("North", "South") for name in ("Central", "Eye Clinic", "District")]
    path.write_text(
        "State,Name\n" + "".join(f"{state if name == 'Central' else ''},{name}\n" for state, name in groups)
    )
    file = HospitalFile.open(path)
    # Every pass says the same.
    first, rows = list(file.rows()), list(file.rows())
    assert first == rows
    assert [row.record is not None for row in rows] == [True, True, True, True, False, False]
    assert "its State may be another" in rows[4].reasons[0]
    assert file.rejected_row(6) is not None
