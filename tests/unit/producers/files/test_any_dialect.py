"""A table written in any dialect, encoding and language is read cell by cell, or refused for its encoding."""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producers.files import FileError
from producers.files.opening import open_table

LANGUAGES = json.loads(Path(__file__).with_name("hospitals_by_language.json").read_text(encoding="utf-8"))
CASES = [
    (name, encoding) for name, table in LANGUAGES.items() for encoding in (*table["encodings"], "utf-8", "utf-16")
]
TITLES = [[], ["Ministry of Health"], ["List of hospitals", "", "State of 1 March 2024"]]
COMPRESSIONS: list[Callable[[bytes], bytes]] = [bytes, bytes, gzip.compress, bz2.compress, lzma.compress]


@dataclass(frozen=True)
class Written:
    """A table and the bytes of its file."""

    header: list[str]
    rows: list[list[str]]
    data: bytes
    is_unicode: bool


@st.composite
def tables(draw: st.DrawFn) -> Written:
    language, encoding = draw(st.sampled_from(CASES))
    table = LANGUAGES[language]
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", "^"]))
    names = draw(st.sampled_from([["name", "city"], table["header"]]))
    header = ["id", *names, "beds", "note"]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    notes = ["", "x", 'with "quotes"', f"one{delimiter} two", f"line{end}break", "it's"]
    count = draw(st.integers(8, 40))
    rows = []
    for number in range(count):
        name, city = table["rows"][number % len(table["rows"])]
        rows.append([f"H{number:03}", name, city, str(number * 7 % 90), draw(st.sampled_from(notes))])
    text = io.StringIO(newline="")
    padding = draw(st.sampled_from(["", delimiter * 4]))
    for title in draw(st.sampled_from(TITLES)):
        text.write(title + padding + end)
    quoting: Literal[0, 1] = csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([header, *rows])
    data = text.getvalue().encode(encoding, "ignore")
    written = [[cell.encode(encoding, "ignore").decode(encoding) for cell in row] for row in [header, *rows]]
    compress = draw(st.sampled_from(COMPRESSIONS))
    return Written(written[0], written[1:], compress(data), encoding.startswith("utf"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "list"


@given(tables())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_is_read_cell_by_cell_or_refused_for_its_encoding(path: Path, written: Written) -> None:
    path.write_bytes(written.data)
    refusal, table = "", None
    try:
        table = open_table(path)
    except FileError as error:
        refusal = str(error)
    if table is None:
        assert "name the one that reads right with --encoding" in refusal
        assert not written.is_unicode
        return
    assert list(table.columns) == written.header
    found = list(table.rows())
    assert [row.problem for row in found] == [None] * len(written.rows)
    assert [list(row.fields.values()) for row in found] == written.rows


@given(tables(), st.booleans())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_table_is_read_from_json(path: Path, written: Written, wrapped: bool) -> None:
    records = [dict(zip(written.header, row, strict=True)) for row in written.rows]
    path.write_text(json.dumps({"result": {"records": records}} if wrapped else records, indent=wrapped))
    assert [row.fields for row in open_table(path).rows()] == records
