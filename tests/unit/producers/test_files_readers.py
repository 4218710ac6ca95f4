import io
import json
import tracemalloc
from pathlib import Path

import pytest

from producers.files.lines import MAX_ROW_LENGTH, MAX_ROW_LINES
from producers.files.readers import CsvReader, NdjsonReader, RawRow


def csv_rows(text: str) -> list[RawRow]:
    return list(CsvReader(io.StringIO(text, newline="")))


def ndjson_rows(text: str) -> list[RawRow]:
    return list(NdjsonReader(io.StringIO(text, newline="")))


def lines_and_problems(rows: list[RawRow]) -> list[tuple[int, bool]]:
    return [(row.line, row.problem is not None) for row in rows]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_in_the_header(mark: str) -> None:
    reader = CsvReader(io.StringIO(f'"a,;|\t,;|\t"{mark}b\n1{mark}2\n', newline=""))
    assert reader.delimiter == mark
    assert [list(row.fields.values()) for row in reader] == [["1", "2"]]


def test_a_single_column_is_a_csv_file() -> None:
    assert [row.fields for row in csv_rows("name\nA\n")] == [{"name": "A"}]


def test_line_numbers_are_physical_with_quoted_newlines_and_blank_lines() -> None:
    rows = csv_rows('\ufeffname,city\r\n"A\r\nB",x\r\n\r\n,\r\nC,y\r\n')
    assert [(row.line, row.fields) for row in rows] == [
        (2, {"name": "A\r\nB", "city": "x"}),
        (6, {"name": "C", "city": "y"}),
    ]


def test_the_header_may_span_lines_and_follow_blank_lines() -> None:
    rows = csv_rows('\n\n"facility\nname",b\nA,1\n')
    assert [(row.line, row.fields) for row in rows] == [(5, {"facility\nname": "A", "b": "1"})]


def test_blank_and_repeated_column_names_keep_their_cells() -> None:
    assert csv_rows("a,,a\n1,2,3\n")[0].fields == {"a": "1", "column 2": "2", "a (3)": "3"}


def test_ragged_rows_are_rejected_with_all_their_cells() -> None:
    short, long, good, padded = csv_rows("a,b\n1\n1,2,3\n1,2\n1,2,,\n")
    assert (short.problem, short.fields) == ("has 1 cells, but the header has 2", {"a": "1"})
    assert (long.problem, long.fields) == (
        "has 3 cells, but the header has 2",
        {"a": "1", "b": "2", "column 3": "3"},
    )
    assert good.problem is None
    # Spreadsheets write delimiters after the last column.
    assert padded.problem is None
    assert padded.fields == {"a": "1", "b": "2"}


def test_a_stray_quote_rejects_only_its_own_line() -> None:
    rows = csv_rows('a,b\n1,2\n"3,4\n5,6\n7,8\n')
    assert lines_and_problems(rows) == [(2, False), (3, True), (4, False), (5, False)]
    assert rows[1].text == '"3,4'
    assert rows[1].problem == "a quote is opened but never closed"


def test_a_stray_quote_before_many_lines_rejects_only_its_own_line() -> None:
    rows = csv_rows('a,b\n"3,4\n' + "5,6\n" * 300_000)
    assert rows[0].problem is not None
    assert len(rows) == 300_001
    assert rows[-1].line == 300_002
    assert all(row.problem is None for row in rows[1:])


def test_the_search_for_a_closing_quote_is_limited_in_lines() -> None:
    """Each quote swallows the lines after it, which are then read again: without a limit, quadratic time."""
    rows = csv_rows("a,b\n" + 'x",x,"\n' * 1_000)
    assert len(rows) == 1_000
    assert all(row.problem is not None for row in rows)
    assert f"{MAX_ROW_LINES} lines" in str(rows[0].problem)


def test_a_quote_inside_a_quoted_field_is_rejected() -> None:
    rows = csv_rows('a,b\n"St. "Mary" x",2\n1,2\n')
    assert lines_and_problems(rows) == [(2, True), (3, False)]


def test_a_field_over_the_csv_limit_is_rejected() -> None:
    rows = csv_rows("a,b\n" + "x" * 200_000 + ",2\n1,2\n")
    assert lines_and_problems(rows) == [(2, True), (3, False)]


@pytest.mark.parametrize(("reader", "first", "last"), [(CsvReader, "a", "b"), (NdjsonReader, "1", '{"a": 1}')])
def test_an_overlong_line_is_rejected_in_bounded_memory(
    tmp_path: Path, reader: type[CsvReader | NdjsonReader], first: str, last: str
) -> None:
    path = tmp_path / "list"
    path.write_text("\n".join((first, "x" * 50_000_000, last)))
    with path.open(newline="") as text:
        tracemalloc.start()
        try:
            rows = list(reader(text))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    overlong, good = rows[-2:]
    assert (overlong.line, good.line, good.problem) == (2, 3, None)
    assert f"longer than {MAX_ROW_LENGTH}" in str(overlong.problem)
    assert len(str(overlong.text)) <= 2_000
    assert peak < 20_000_000


def test_ndjson_lines_that_are_not_objects_are_rejected() -> None:
    rows = ndjson_rows('{"a": 1}\n\n[1]\n{"a": \n"x"\n{"a": NaN}\n{"a": 2}')
    assert lines_and_problems(rows) == [(1, False), (3, True), (4, True), (5, True), (6, True), (7, False)]
    assert rows[1].text == "[1]"


def test_too_deeply_nested_ndjson_is_rejected() -> None:
    assert lines_and_problems(ndjson_rows('{"a":' * 5_000 + "1" + "}" * 5_000)) == [(1, True)]


def test_a_rejects_file_is_read_as_its_rows() -> None:
    forms = [
        {"line": 7, "reasons": ["beds: wrong"], "row": {"name": "A"}},
        {"line": 8, "reasons": ["not CSV"], "text": '"x'},
    ]
    corrected, text = ndjson_rows("\n".join(json.dumps(form) for form in forms))
    assert (corrected.fields, corrected.problem) == ({"name": "A"}, None)
    assert (text.text, text.problem) == ('"x', "rejected earlier as text: put its values under 'row'")
