import io
import tracemalloc
from pathlib import Path

import pytest

from producers.files.detection.delimiters import Marks
from producers.files.lines import MAX_ROW_LENGTH, MAX_ROW_LINES
from producers.files.opening import open_table
from producers.files.readers.delimited import read_rows, split_leniently
from producers.files.table import Dialect, RawRow, Table, Wishes

A, B = ["a", "b"], ["1", "2"]


def rows(text: str, columns: list[str] = A, **dialect: object) -> list[RawRow]:
    settings = Dialect(format="csv", **dialect)  # type: ignore[arg-type]
    return list(read_rows(io.StringIO(text, newline=""), Marks(","), columns, settings))


def table(tmp_path: Path, content: str | bytes, **wishes: object) -> Table:
    path = tmp_path / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_table(path, Wishes(**wishes))  # type: ignore[arg-type]


def lines_and_problems(found: list[RawRow]) -> list[tuple[int, bool]]:
    return [(row.line, row.problem is not None) for row in found]


def test_line_numbers_are_physical_with_quoted_newlines_and_blank_lines() -> None:
    found = rows('\ufeffa,b\r\n"A\r\nB",x\r\n\r\n,\r\nC,y\r\n')
    assert [(row.line, row.fields) for row in found] == [
        (2, {"a": "A\r\nB", "b": "x"}),
        (6, {"a": "C", "b": "y"}),
    ]


def test_ragged_rows_are_rejected_with_all_their_cells() -> None:
    short, long, good, padded = rows("a,b\n1\n1,2,3\n1,2\n1,2,,\n")
    assert (short.problem, short.fields) == ("has 1 cells, but the header has 2", {"a": "1"})
    assert (long.problem, long.fields) == (
        "has 3 cells, but the header has 2; after the last column: '3'",
        {"a": "1", "b": "2", "column 3": "3"},
    )
    assert good.problem is None
    # Spreadsheets write delimiters after the last column.
    assert (padded.problem, padded.fields) == (None, {"a": "1", "b": "2"})


def test_a_surplus_cell_takes_no_column_of_the_file() -> None:
    (row,) = rows("column 3,b\n1,2,3,4\n", ["column 3", "b"])
    assert list(row.fields.values()) == ["1", "2", "3", "4"]
    assert row.problem == "has 4 cells, but the header has 2; after the last column: '3 | 4'"


def test_a_row_that_is_quoted_as_a_whole_is_a_row() -> None:
    whole, other = rows('a,b\n"1,""2, 3"""\n"1,2,3"\n')
    assert (whole.problem, whole.fields) == (None, {"a": "1", "b": "2, 3"})
    assert (other.problem, other.fields) == ("has 1 cells, but the header has 2", {"a": "1,2,3"})


def test_a_stray_quote_rejects_only_its_own_line() -> None:
    found = rows('a,b\n1,2\n"3,4\n5,6\n7,8\n')
    assert lines_and_problems(found) == [(2, False), (3, True), (4, False), (5, False)]
    assert (found[1].text, found[1].problem) == ('"3,4', "a quote is opened but never closed")


def test_a_stray_quote_before_many_lines_rejects_only_its_own_line() -> None:
    found = rows('a,b\n"3,4\n' + "5,6\n" * 300_000)
    assert found[0].problem is not None
    assert (len(found), found[-1].line) == (300_001, 300_002)
    assert all(row.problem is None for row in found[1:])


def test_the_search_for_a_closing_quote_is_limited_in_lines() -> None:
    """Each quote swallows the lines after it, which are then read again: without a limit, quadratic time."""
    found = rows("a,b\n" + 'x",x,"\n' * 1_000)
    assert len(found) == 1_000
    assert all(row.problem is not None for row in found)
    assert f"{MAX_ROW_LINES} lines" in str(found[0].problem)


def test_quotes_inside_a_quoted_cell_stay_in_it_if_the_cells_are_as_many_as_the_columns() -> None:
    found = rows('a,b\n"St. "Mary" x",2\n"A "B, C",2\n"A",B",2\n1,2\n')
    assert [row.fields for row in found[:2]] == [{"a": 'St. "Mary" x', "b": "2"}, {"a": 'A "B, C', "b": "2"}]
    assert lines_and_problems(found) == [(2, False), (3, False), (4, True), (5, False)]


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('"a "b" c",2', ['a "b" c', "2"]),
        ('1, "a "b"', ["1", 'a "b']),
        ('"a""b"x",2,', ['a"b"x', "2", ""]),
        ('"a,2', []),
        ("", [""]),
    ],
)
def test_a_quote_closes_a_cell_only_before_a_delimiter_or_the_end(line: str, cells: list[str]) -> None:
    assert split_leniently(line + "\r\n", Marks(",")) == cells


def test_a_cell_over_the_csv_limit_is_rejected() -> None:
    assert lines_and_problems(rows("a,b\n" + "x" * 200_000 + ",2\n1,2\n")) == [(2, True), (3, False)]


def test_an_overlong_line_is_rejected_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("\n".join(("a", "x" * 50_000_000, "b")))
    with path.open(newline="") as text:
        tracemalloc.start()
        try:
            overlong, good = read_rows(text, Marks(","), ["a"], Dialect(format="csv"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (overlong.line, good.line, good.problem) == (2, 3, None)
    assert f"longer than {MAX_ROW_LENGTH}" in str(overlong.problem)
    assert len(str(overlong.text)) <= 2_000
    assert peak < 20_000_000


def test_without_a_header_no_row_is_lost(tmp_path: Path) -> None:
    found = table(tmp_path, '"G6V2","NORTH TRUST","Y56"\n"R0A","SOUTH TRUST","Y62"\n"R0B","EAST TRUST","Y63"\n')
    assert (found.dialect.header, list(found.columns)) == (False, ["1", "2", "3"])
    assert [(row.line, row.fields["2"]) for row in found.rows()] == [
        (1, "NORTH TRUST"),
        (2, "SOUTH TRUST"),
        (3, "EAST TRUST"),
    ]
    assert "the columns are numbered" in " ".join(found.notes)


def test_rows_above_the_header_are_skipped_and_named(tmp_path: Path) -> None:
    found = table(tmp_path, ';;\n"List of\nhospitals";;\n\nid;name;beds\n1;Oak;120\n2;Elm;60\n')
    assert (found.dialect.skip_rows, found.dialect.delimiter) == (4, ";")
    assert list(found.columns) == ["id", "name", "beds"]
    assert [(row.line, row.fields["name"]) for row in found.rows()] == [(6, "Oak"), (7, "Elm")]
    assert "List of" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "wishes", "columns", "first"),
    [
        ("x,y\na,b\n1,2\n", {"skip_rows": 1}, A, B),
        ("sep=;\r\na;b\r\n1;2\r\n", {}, A, B),
        ("a!b\n1!2\n", {"delimiter": "!"}, A, B),
        ("1,2\n3,4\n", {"header": True}, B, ["3", "4"]),
        ("1,2\n3,4\n", {}, B, B),
        ("a,b\n1,2\n", {"header": False}, B, A),
        ("a\rb\r1\r", {}, ["a"], ["b"]),
        ("name,city\r\nA,x\nB,y\r", {}, ["name", "city"], ["A", "x"]),
        ("'name','city'\n'O, N','x'\n'P','y'\n", {}, ["name", "city"], ["O, N", "x"]),
        ("name,,name\nA,1,2\n", {}, ["name", "column 2", "name (3)"], ["A", "1", "2"]),
        ('\n\n"facility\nname",b\nA,1\n', {}, ["facility\nname", "b"], ["A", "1"]),
        ("name,city,\nA,x,\nB,y,\n", {}, ["name", "city"], ["A", "x"]),
        ("name,city\n1,A,x\n2,B,y\n", {}, ["column 1", "name", "city"], ["1", "A", "x"]),
        ("name\tcity\nA\t\nB\ty\n", {}, ["name", "city"], ["A", ""]),
    ],
)
def test_a_table_is_read_in_its_dialect(
    tmp_path: Path, content: str, wishes: dict[str, object], columns: list[str], first: list[str]
) -> None:
    found = table(tmp_path, content, **wishes)
    assert list(found.columns) == columns
    assert list(next(found.rows()).fields.values()) == first


def test_rows_that_leave_out_their_last_cells_are_whole(tmp_path: Path) -> None:
    found = table(tmp_path, "id,name,city,note\n1,A,x\n2,B,y,n\n3,C\n4,D,z\n")
    assert [row.problem for row in found.rows()] == [None] * 4
    assert "rows leave out the empty cells at their end" in found.notes


def test_a_footnote_is_a_row_with_a_problem(tmp_path: Path) -> None:
    body = "".join(f"{number},Oak,Aveda\n" for number in range(40))
    found = list(table(tmp_path, f"id,name,city\n{body}Source: Ministry of Health\n").rows())
    assert (len(found), found[-1].problem) == (41, "has 1 cells, but the header has 3")


def test_a_stray_byte_costs_its_character_and_names_its_column(tmp_path: Path) -> None:
    data = "id,name,city\n1,Hôpital Élan,Évry\n2,Forêt,Lys\n".encode() + b"3,Ros\xe9e,\x81\n"
    found = table(tmp_path, data)
    *_, last = found.rows()
    assert (last.fields, last.repaired) == ({"id": "3", "name": "Rosée", "city": "\ufffd"}, ("name", "city"))
    assert "2 bytes are not utf-8" in found.notes[0]


def test_nul_characters_are_left_out(tmp_path: Path) -> None:
    content = "name,city\n" + "Oak,Aveda\n" * 50 + "Elm\0\0,Brusk\n"
    found = table(tmp_path, content)
    *_, last = found.rows()
    assert last.fields == {"name": "Elm", "city": "Brusk"}
    assert found.notes == ["2 NUL characters are left out"]


def test_rows_can_be_read_again(tmp_path: Path) -> None:
    found = table(tmp_path, "name,city\nA,x\nB,y\n")
    assert list(found.rows()) == list(found.rows())
    assert found.lines == 3
