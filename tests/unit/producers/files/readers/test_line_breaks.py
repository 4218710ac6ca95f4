from collections.abc import Sequence

import pytest

from producers.files.readers.line_breaks import BEGINS, ENDS, without_halves
from producers.files.table import RawRow

COLUMNS = ["code", "name", "city", "beds"]
ROWS = [
    f"K{number};Hospital {number};Aveda;{number}0" if number % 2 else f"K{number};Oak;Brusk" for number in range(12)
]


def found(lines: Sequence[str]) -> list[RawRow]:
    cells = [[*line.split(";"), "", "", ""][:4] for line in lines]
    rows = [RawRow(number, dict(zip(COLUMNS, it, strict=True))) for number, it in enumerate(cells)]
    return list(without_halves(rows, COLUMNS))


@pytest.mark.parametrize(
    "halves",
    [("K40;Hospital 40", "North wing;Corvo;14"), ("K40;Elm", "North wing;Corvo"), ("K40;Elm;Saint", "John;14")],
)
@pytest.mark.parametrize("after", [[], ROWS[:1], ROWS[1:3]])
def test_the_halves_of_a_row_are_no_hospitals(halves: tuple[str, str], after: list[str]) -> None:
    problems = [row.problem for row in found([*ROWS, *halves, *after])]
    assert problems == [None] * len(ROWS) + [BEGINS, ENDS] + [None] * len(after)


@pytest.mark.parametrize(
    "rows",
    [
        ("K40;Hospital 40", "K41;Elm;Corvo;14"),
        ("K40;Elm;Corvo", "K41;Ash"),
        ("K40", "K41;Elm;Corvo"),
        # A code of another form, and a row too long to be a rest.
        ("K40;Elm;Corvo", "none;Ash;Corvo;14"),
        ("K40;Elm;Corvo", "none;Ash"),
        ("K40;Elm;Corvo;9", "none;Ash;Corvo"),
        ("K40;Elm", ";Ash"),
    ],
)
def test_short_rows_are_rows(rows: tuple[str, str]) -> None:
    lines = [*ROWS, *rows, *ROWS]
    assert [(row.line, row.problem) for row in found(lines)] == [(number, None) for number in range(len(lines))]


def test_nothing_is_judged_by_a_few_rows() -> None:
    assert [row.problem for row in found([*ROWS[:3], "K40;Elm", "North wing;Corvo;14"])] == [None] * 5
