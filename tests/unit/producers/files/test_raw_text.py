"""What other systems leave in and around a text: NUL bytes, DOS's end of file, a script, an archive in another."""

import bz2
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.opening import open_table

ROWS = "code;name;city\n" + "".join(f"{number};Oak {number};Aveda\n" for number in range(20))


def cells(path: Path, data: bytes) -> list[list[object]]:
    path.write_bytes(data)
    return [list(row.fields.values()) for row in open_table(path).rows()]


@pytest.mark.parametrize(
    "data",
    [
        ROWS.replace("\n", "\0\0\n").encode(),
        ROWS.replace("\n", "\0" * 40 + "\r\n").encode(),
        ROWS.replace(";", "\0\0\0;").encode(),
        ROWS.encode() + b"\0" * 1_000,
        ROWS.encode() + b"\x1a" + b"\0" * 127,
        ROWS.replace("Oak 3", "Oak\0 3").encode(),
        ROWS.encode() + b"\x1a",
        ROWS.encode() + b"\x1a\r\n",
        ROWS.rstrip().encode() + b"\x1a",
        ROWS.encode() + b"\x1a" * 20,
    ],
)
def test_padding_and_the_end_of_a_dos_file_are_no_text(tmp_path: Path, data: bytes) -> None:
    expected = [[str(number), f"Oak {number}", "Aveda"] for number in range(20)]
    assert cells(tmp_path / "list.csv", data) == expected


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("end", ["", " "])
def test_one_nul_in_a_short_list_does_not_make_it_utf_16(tmp_path: Path, rows: int, end: str) -> None:
    lines = "".join(f"A{number},Oak\0,Aveda{end}\n" for number in range(rows))
    assert len(cells(tmp_path / "list.csv", f"Code,Name,City\n{lines}".encode())) == rows


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("name", ["Oak Clinic", "Больница", "病院", "병원"])
def test_utf_16_without_a_mark_stays_utf_16(tmp_path: Path, encoding: str, name: str) -> None:
    data = f"id,name\n1,{name}\n2,{name}\n".encode(encoding)
    assert cells(tmp_path / "list.csv", data) == [["1", name], ["2", name]]


@pytest.mark.parametrize("data", [b"\x00\x01\x02\x03" * 100, b"ab\0\0\0\0cd" * 100])
def test_other_nul_bytes_are_those_of_a_binary_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FileError, match="binary"):
        cells(tmp_path / "list.csv", data)


@pytest.mark.parametrize(
    "begin",
    [
        "var hospitals = ",
        "let data=",
        "const list_1 = ",
        "export default ",
        "window.hospitals = ",
        "// generated\nvar hospitals = ",
        "/* map */ module.exports = ",
        "callback(",
        'layers["hospitals"] = ',
    ],
)
def test_a_script_around_json_is_called_so(tmp_path: Path, begin: str) -> None:
    with pytest.raises(FileError, match="is JavaScript, not JSON"):
        cells(tmp_path / "list.geojson", (begin + '[{"name": "Oak"}];').encode())


@pytest.mark.parametrize(
    "header",
    ["var name;city", "name (official);city", "let;name", "const,name", "name = title;city", "name({x});city"],
)
def test_a_header_is_no_script(tmp_path: Path, header: str) -> None:
    mark = "," if "," in header else ";"
    assert len(cells(tmp_path / "list.csv", f"{header}\nOak{mark}Aveda\nElm{mark}Brusk\n".encode())) == 2


def zipped(name: str, data: bytes) -> bytes:
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w") as archive:
        archive.writestr(name, data)
    return parcel.getvalue()


@pytest.mark.parametrize(
    ("outer", "called"),
    [
        (
            lambda data: zipped("list.csv.gz", data),
            "is a gzip file inside of a ZIP file; unpack the outer one first",
        ),
        (bz2.compress, "is a gzip file inside of a bzip2 file"),
    ],
)
def test_a_compressed_file_inside_of_another_is_called_so(
    tmp_path: Path, outer: Callable[[bytes], bytes], called: str
) -> None:
    with pytest.raises(FileError, match=called):
        cells(tmp_path / "outer", outer(gzip.compress(b"name,city\nOak,Aveda\n")))


@pytest.mark.parametrize("inner", ["list.csv", "north/list.csv", "list.geojson", "a.txt", "xlist.csv"])
def test_an_archive_inside_of_an_archive_is_called_so(tmp_path: Path, inner: str) -> None:
    with pytest.raises(FileError, match="is a ZIP archive inside of another; unpack"):
        cells(tmp_path / "outer.zip", zipped("inner.zip", zipped(inner, ROWS.encode())))


@pytest.mark.parametrize("suffix", [".xls", ".xlsx", ".XLS"])
def test_a_web_page_called_a_workbook_is_to_be_saved_as_one(tmp_path: Path, suffix: str) -> None:
    page = b"<html><table><tr><td>A1</td><td>Oak</td></tr></table></html>"
    with pytest.raises(FileError, match="open it in a spreadsheet program, save it as xlsx or CSV"):
        cells(tmp_path / f"list{suffix}", page)
    with pytest.raises(FileError, match="read_html"):
        cells(tmp_path / "list.html", page)
