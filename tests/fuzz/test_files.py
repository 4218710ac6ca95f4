"""Any file is refused with a one-line message, or each of its lines is a row, a numbered reject, or blank."""

import gzip
import io
import json
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from producers.files import FileError, FileFormat, FileWishes, HospitalFile, RejectWriter, rejects_path
from producers.files.columns import ColumnWishes
from producers.files.detection.delimiters import Marks
from producers.files.readers.delimited import read_rows
from producers.files.readers.json_lines import read_lines
from producers.files.table import Dialect, RawRow, Wishes

PIECES = [
    b"\n", b"\n", b"\r\n", b"\r", b",", b",", b";", b"\t", b"|", b'"', b'""', b" ", b"hospital_name", b"beds", b"A",
    b"12", b"\xff", b"\xe9", "é".encode(), b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x1a", b"\x0c", b"\x85",
    "\u2028".encode(), b"{", b"}", b"[", b"]", b":", b'{"hospital_name":"A"}', b'{"hospital_name":{"$gt":""}}',
    b'{"line":1,"reasons":[],"row":{"hospital_name":"A"}}', b'{"line":1,"reasons":[],"text":7}', b"NaN", b"\\ud800",
    b"\x1f\x8b", b"PK\x03\x04", b"1e400", b"null", b'{"a":' * 40, b"9" * 30,
]  # fmt: skip
SOUP = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
HEADS = st.sampled_from([b"", b"hospital_name,beds\n", b'hospital_name;"be\nds"\n', b'{"hospital_name":"A"}\n'])
CONTENT = st.binary(max_size=200) | st.tuples(HEADS, SOUP).map(b"".join)
FORMATS: st.SearchStrategy[FileFormat | None] = st.sampled_from([None, None, "csv", "ndjson", "json", "geojson"])
ENCODINGS = st.sampled_from(
    [None, None, "utf-8", "cp1252", "utf-16", "utf-7", "idna", "shift_jis", "undefined", "rot13"]
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "list"


def load(path: Path, encoding: str | None, file_format: FileFormat | None) -> tuple[list[int], int, int]:
    """Return the line numbers of all rows, the number of records, and the number of lines in the file.

    Rejected rows are written to the rejects file, and read back.
    """
    wishes = FileWishes(reading=Wishes(encoding=encoding, format=file_format), columns=ColumnWishes(source="x"))
    with RejectWriter(rejects_path(path)) as rejects:
        file = HospitalFile.open(path, wishes)
        numbers, records = [], 0
        for row in file.rows():
            numbers.append(row.line)
            records += row.record is not None
            assert (row.record is None) == bool(row.reasons)
            if row.record is None:
                rejects.write(row, row.reasons)
    if rejects.count:
        with rejects.path.open(newline="\n") as lines:
            rejected = [json.loads(line)["line"] for line in lines]
        assert len(rejected) == len(numbers) - records
        assert set(rejected) <= set(numbers)
    return numbers, records, file.lines


@given(CONTENT, st.sampled_from(["plain", "gzip", "cut"]), ENCODINGS, FORMATS)
@example(b'{"hopitalname":"A"}""""{}nullnullnull', "plain", None, None)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_in_one_line(
    path: Path, content: bytes, wrapping: str, encoding: str | None, file_format: FileFormat | None
) -> None:
    if wrapping != "plain":
        content = gzip.compress(content)
    path.write_bytes(content[: -len(content) // 3] if wrapping == "cut" else content)
    refusal = None
    try:
        numbers, _, lines = load(path, encoding, file_format)
    except FileError as error:
        refusal, numbers, lines = str(error), [], 0
    assert refusal is None or len(refusal.splitlines()) == 1
    assert numbers == sorted(set(numbers))
    # If line ends are mixed, only the more frequent kind is counted.
    assert len(numbers) <= 2 * lines


@given(SOUP.map(lambda soup: soup.decode("utf-8", "surrogateescape")))
@settings(max_examples=300, deadline=None)
def test_every_line_of_ndjson_is_a_row_or_blank(content: str) -> None:
    rows = list(read_lines(io.StringIO(content, newline="")))
    # A text that was put together from several has a byte order mark at the start of each.
    # NULs are padding, and DOS ends a file with its sign for that.
    texts = [line.removeprefix("\ufeff") for line in io.StringIO(content, newline="")]
    lines = [text.replace("\0", "").replace("\x1a", "") for text in texts]
    assert [row.line for row in rows] == [n for n, line in enumerate(lines, 1) if line and not line.isspace()]


@given(SOUP.map(lambda soup: soup.decode("utf-8", "surrogateescape")))
@settings(max_examples=300, deadline=None)
def test_every_line_of_a_csv_is_in_a_row_or_blank(content: str) -> None:
    content = "a,b\n" + content
    lines = io.StringIO(content, newline="").readlines()
    rows = list(read_rows(io.StringIO(content, newline=""), Marks(","), ["a", "b"], Dialect(format="csv")))
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    ends = [*(row.line for row in rows), len(lines) + 1][1:]
    covered: set[int] = set()
    for row, end in zip(rows, ends, strict=True):
        covered |= set(range(row.line, min(row.line + _line_count(row), end)))
    left = [line for number, line in enumerate(lines, 1) if number > 1 and number not in covered]
    # The lines that are left hold no cell.
    assert not [line for line in left if line.replace('"', "").strip(", \0\x1a\r\n\ufeff")]


def _line_count(row: RawRow) -> int:
    """Return how many lines the row's cells span."""
    if row.text is not None:
        return 1
    return len(io.StringIO("".join(str(cell) for cell in row.fields.values()), newline="").read().splitlines()) + 1


@pytest.mark.parametrize("depth", [200, 260, 990, 1_020, 5_000])
def test_a_deep_row_that_is_rejected_can_be_written(path: Path, depth: int) -> None:
    # Without Hypothesis, because it allows more recursion than a normal program.
    path.write_bytes(b'{"hospital_name":"","x":%b}\n{"hospital_name":"A"}\n' % (b"[" * depth + b"]" * depth))
    assert load(path, None, None) == ([1, 2], 1, 2)


@pytest.mark.parametrize(
    "line",
    [
        b'{"hospital_name":"A","x":[' + b"{}," * 40_000 + b"0]}\n",
        b'{"hospital_name":"A","x":{' + b",".join(b'"%d":0' % n for n in range(4_000)) + b"}}\n",
        b"{" + b",".join(b'"%d":0' % n for n in range(4_000)) + b"}\n",
    ],
    ids=["objects", "names", "columns"],
)
def test_memory_depends_on_the_row_size_not_on_the_file_size(path: Path, line: bytes) -> None:
    assert peak_memory(path, line, 12) < 2 * peak_memory(path, line, 2)


def peak_memory(path: Path, line: bytes, count: int) -> int:
    """Return the most bytes that Python held while it read `count` copies of the line."""
    path.write_bytes(gzip.compress(b'{"hospital_name":"A"}\n' + line * count, 1))
    tracemalloc.start()
    try:
        numbers, _, _ = load(path, None, "ndjson")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert numbers == list(range(1, count + 2))
    return peak


def test_a_large_file_of_noise_is_accounted_for(path: Path) -> None:
    noise = random.Random(7)
    characters = "".join(map(chr, range(1, 128))).replace("\n", "").replace("\r", "").replace("{", "")
    lines = ["{" + "".join(noise.choices(characters, k=noise.randrange(60))) for _ in range(5_000)]
    path.write_text("\n".join(['{"hospital_name":"A"}', *lines]) + "\n")
    numbers, records, count = load(path, "utf-8", "ndjson")
    assert (numbers, records, count) == (list(range(1, 5_002)), 1, 5_001)
