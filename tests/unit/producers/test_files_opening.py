import codecs
import gzip
import os
from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.opening import open_text, survey

TEXT = "name,city\nHôpital Évreux,Évreux\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8"),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-32"), "utf-32"),
    ],
)
def test_the_encoding_is_detected(path: Path, content: bytes, encoding: str) -> None:
    path.write_bytes(content)
    found = survey(path)
    assert (found.encoding, found.lines) == (encoding, 2)
    with open_text(found) as text:
        assert text.read().removeprefix("\ufeff") == TEXT


def test_the_whole_file_decides_the_encoding(path: Path) -> None:
    # The only byte that is not UTF-8 is in the third block.
    path.write_bytes(b"name\n" + b"a\n" * 300_000 + b"\xe9\n")
    found = survey(path)
    assert (found.encoding, found.lines) == ("cp1252", 300_002)


def test_a_character_across_two_blocks_stays_utf8(path: Path) -> None:
    path.write_bytes(b"x" * (2**18 - 1) + "é\n".encode())
    assert survey(path).encoding == "utf-8"


def test_a_given_encoding_takes_precedence_over_the_detected_one(path: Path) -> None:
    path.write_bytes("Пермь\n".encode("cp1251"))
    with open_text(survey(path, "cp1251")) as text:
        assert text.read() == "Пермь\n"


@pytest.mark.parametrize("encoding", ["zork", "base64", "punycode-2"])
def test_an_unknown_encoding_is_refused(path: Path, encoding: str) -> None:
    path.write_bytes(b"name\n")
    with pytest.raises(FileError, match="no such text encoding"):
        survey(path, encoding)


def test_text_that_ends_inside_a_utf16_character_is_refused(path: Path) -> None:
    path.write_bytes("ab".encode("utf-16")[:-1])
    with pytest.raises(FileError, match="cannot be decoded"):
        survey(path)


@pytest.mark.parametrize(("text", "lines"), [("a\nb\n", 2), ("a\nb", 2), ("a\r\nb\r\n", 2), ("a\rb\r", 2)])
def test_lines_are_counted_for_every_line_end(path: Path, text: str, lines: int) -> None:
    path.write_bytes(text.encode())
    assert survey(path).lines == lines


def test_gzip_is_detected_by_content_not_by_name(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT.encode()))
    found = survey(path)
    assert found.compressed
    with open_text(found) as text:
        assert text.read() == TEXT


COMPRESSED = gzip.compress(os.urandom(2_000).hex().encode())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is a gzip file without content"),
        (b"name\nx\0y\n", "NUL character in line 2"),
        ("name\nx\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (b"PK\x03\x04rest", "ZIP archive or an Excel workbook"),
        (COMPRESSED[:-20], "ends in the middle of its gzip data"),
        (COMPRESSED[:100] + b"\xff" * 50 + COMPRESSED[150:], "broken gzip data"),
        (b"\x1f\x8bnonsense", "broken gzip data"),
    ],
)
def test_unusable_content_is_refused_with_its_problem(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    with pytest.raises(FileError, match=problem) as caught:
        survey(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_a_directory_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, problem in [("none.csv", "No such file"), (".", "is a directory"), ("pipe", "not a regular file")]:
        with pytest.raises(FileError, match=problem):
            survey(tmp_path / name)


def test_an_unreadable_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"name\n")

    # File modes do not restrict root, and the tests may run as root.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileError, match="cannot be read: Permission denied"):
        survey(path)
