from pathlib import Path

import pytest

from producers.files.errors import FileError
from producers.files.spooling import shown_path, spooled_part


@pytest.mark.parametrize(
    ("path", "shown", "part"),
    [
        ("lists/a.csv", "lists/a.csv", None),
        ("/spool/hospital-producer-x1/standard-input", "standard input", ""),
        ("/spool/hospital-producer-x1/standard-input/a.csv", "standard input/a.csv", "a.csv"),
        ("/spool/hospital-gateway-x1/our list.csv", "our list.csv", None),
        ("/spool/hospital-gateway-x1/lists.zip/a.csv", "lists.zip/a.csv", None),
        ("hospital-gateway-list.csv", "hospital-gateway-list.csv", None),
    ],
)
def test_a_file_is_shown_as_a_person_knows_it(path: str, shown: str, part: str | None) -> None:
    assert (shown_path(Path(path)), spooled_part(Path(path))) == (shown, part)
    assert str(FileError(Path(path), "is empty")) == f"{shown}: is empty"
