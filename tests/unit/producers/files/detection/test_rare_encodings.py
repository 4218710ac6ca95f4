"""Encodings that are rare are noted, and UTF-7, which is ASCII, is refused."""

from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.opening import open_table
from producers.files.table import Wishes
from tests.unit.producers.files.detection.test_encodings import detect, text


def notes(path: Path, data: bytes, wishes: Wishes | None = None) -> str:
    path.write_bytes(data)
    return "; ".join(open_table(path, wishes).notes)


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("French", "mac_roman"), ("French", "cp850"), ("Polish", "cp852"), ("Russian", "cp866"), ("Greek", "cp737")],
)
def test_a_rare_encoding_is_noted(tmp_path: Path, language: str, encoding: str) -> None:
    data = text(language, 50).encode(encoding, "ignore")
    assert "which is rare; check the names" in notes(tmp_path / "list.csv", data)
    assert "which is rare" not in notes(tmp_path / "list.csv", data, Wishes(encoding=encoding))
    assert "which is rare" not in notes(tmp_path / "list.csv", data, Wishes(usual_encoding=encoding))


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("French", "cp1252"), ("Polish", "cp1250"), ("Russian", "cp1251"), ("Japanese", "cp932"), ("Greek", "utf-8")],
)
def test_a_usual_encoding_is_not_noted(tmp_path: Path, language: str, encoding: str) -> None:
    assert "which is rare" not in notes(tmp_path / "list.csv", text(language, 50).encode(encoding, "ignore"))


@pytest.mark.parametrize("language", ["French", "Spanish", "Polish", "German", "Portuguese"])
def test_utf_7_is_refused_unless_it_is_named(language: str) -> None:
    content = text(language, 5).replace("+", "")
    with pytest.raises(FileError, match="looks like UTF-7"):
        detect(content.encode("utf-7"))
    assert content.encode("utf-7").decode(detect(content.encode("utf-7"), "utf-7").name) == content


@pytest.mark.parametrize(
    "cell", ["+49-30-123456", "A+ABC-12", "Rh+AB-", "Oak +Plus- Clinic", "1+1-2", "+1-800-OAK"]
)
def test_plus_and_minus_are_no_utf_7(cell: str) -> None:
    assert detect(f"name,phone\nOak,{cell}\n".encode()).name == "utf-8"
