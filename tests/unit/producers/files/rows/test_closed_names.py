"""Hospitals whose names say that they are closed are loaded and noted."""

from pathlib import Path

import pytest

from producers.files.rows.closed_names import is_called_closed
from tests.support.written_lists import opened


@pytest.mark.parametrize(
    "name",
    [
        "CLOSED - Oak Valley Hospital",
        "Elm Medical Center (closed 2017)",
        "Yew Hospital (CLOSED)",
        "Hôpital Nord (fermé en 2019)",
        "Hospital del Sur [Cerrado]",
        "Городская больница (закрыта)",
        "あおば病院\uff08閉院\uff09",
    ],
)
def test_names_of_closed_hospitals_are_known(name: str) -> None:
    assert is_called_closed(name)


@pytest.mark.parametrize(
    "name",
    [
        "Closed Loop Clinic",
        "Oak Hospital - Closed Ward",
        "Hospital San Juan (Planta Baja)",
        "Elm Clinic (2017)",
        "Closed",
        "(closed)",
        "",
    ],
)
def test_names_of_others_are_not(name: str) -> None:
    assert not is_called_closed(name)


def test_closed_hospitals_are_loaded_and_noted(tmp_path: Path) -> None:
    rows = [f"K{number};Oak Clinic {number};Aveda" for number in range(4)]
    file = opened(tmp_path, "Code;Name;City", *rows, "K8;Elm Clinic (closed);Aveda", "K9;Ash - CLOSED;Brusk")
    assert len([row for row in file.rows() if row.known is not None]) == 6
    (note,) = (note for note in file.notes if "closed" in note)
    assert note.startswith(
        "2 rows are called closed and loaded as a hospital, first 'Elm Clinic (closed)' in line 6"
    )
