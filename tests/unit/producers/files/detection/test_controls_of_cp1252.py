"""UTF-8 whose quotes and dashes were once decoded as Latin-1, and so are control characters."""

from pathlib import Path

import pytest

from producers.files import FileError, HospitalFile
from tests.unit.producers.files.detection.test_encodings import detect

HEADER = "id,name,town"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Ann\x92s Clinic", "Ann\u2019s Clinic"),
        ("\x93Oak\x94 Clinic", "\u201cOak\u201d Clinic"),
        ("Oak Clinic\x85", "Oak Clinic\u2026"),
        ("\x91Oak", "\u2018Oak"),
        ("Oak \x96 Elm", "Oak \u2013 Elm"),
        ("Oak\x99", "Oak\u2122"),
        ("Cl\u00ednica d\x92Or", "Cl\u00ednica d\u2019Or"),
        ("c\x9cur", "c\u0153ur"),
    ],
)
@pytest.mark.parametrize("others", [0, 3, 30])
def test_valid_utf8_with_such_controls_is_utf8(tmp_path: Path, name: str, meant: str, others: int) -> None:
    lines = [HEADER, *(f"{number},Elm {number},Aveda" for number in range(others)), f"X1,{name},Brusk"]
    data = ("\n".join(lines) + "\n").encode()
    assert detect(data).name == "utf-8"
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    file = HospitalFile.open(path)
    *_, last = file.rows()
    assert last.known is not None
    assert last.known["hospital_name"] == meant
    assert "hospital_name: control characters read as cp1252 (1 cell)" in file.notes


@pytest.mark.parametrize(
    "names",
    [
        ["Bay \x97", "Hope \x8a", "Kings \x99", "Grace \x94", "Elm Clinic \x97", "Fir \x93"],
        ["\x94Mercy\x94", "\x8aZion\x8a", "\x92Fir\x92"],
    ],
)
def test_other_encodings_in_which_they_are_letters_are_none(names: list[str]) -> None:
    rows = [f"{number},{name},Aveda" for number, name in enumerate(names)]
    assert detect(("\n".join(["name", *rows]) + "\n").encode()).name == "utf-8"


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("gb18030", "\u533b\u9662"), ("cp949", "\ubcd1\uc6d0"), ("cp932", "\u75c5\u9662"), ("big5", "\u91ab\u9662")],
)
def test_a_few_letters_of_another_encoding_are_not_utf8(encoding: str, name: str) -> None:
    data = f"{HEADER}\n1,{name},Aveda\n2,Elm,Brusk\n".encode(encoding)
    try:
        found = detect(data).name
    except FileError:
        return
    assert data.decode(found) == data.decode(encoding)
