"""A quote that is opened in one row and closed rows later swallows no row; a cell of several lines stays whole."""

import io

import pytest

from producers.files.detection.delimiters import Marks
from producers.files.readers.delimited import read_rows
from producers.files.table import Dialect, RawRow

ROWS = [f"H{number};Hospital {number};Town;{number}0" for number in range(1, 40)]


def rows(lines: list[str], delimiter: str = ";", escape: str = "") -> list[RawRow]:
    text = "\r\n".join(["id;name;city;note".replace(";", delimiter), *lines, ""])
    columns = ["id", "name", "city", "note"]
    return list(
        read_rows(io.StringIO(text, newline=""), Marks(delimiter, '"', escape), columns, Dialect(format="csv"))
    )


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ('H50;"Clinique du Parc;Lyon;16', 'H51;Polyclinique 12";Nice;19'),
        ('"H50;Oak;Lyon;16', 'H51;Elm;Nice;19"'),
        ('H50;Oak;Lyon;"open', 'H51;Elm;Nice;closed"'),
        ('H50;"Oak; North";Lyon;"open', 'H51;Elm";"Nice; West";19'),
        ('H50;"Oak;;', 'H51;Elm";;'),
    ],
)
@pytest.mark.parametrize("between", [ROWS[1:1], ROWS[1:2], ROWS[1:], [*ROWS[1:], "H45;Ash"]])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_quote_costs_no_row_but_its_own(first: str, last: str, between: list[str], delimiter: str) -> None:
    lines = [ROWS[0], first, *between, last, "H60;Yew;Nice;7"]
    found = rows(
        [line.replace("; ", "% ").replace(";", delimiter).replace("% ", "; ") for line in lines], delimiter
    )
    assert [row.line for row in found] == list(range(2, len(lines) + 2))
    assert found[1].problem == "a quote is opened, and closed only after the rows below it"
    assert [row.line for row in found if row.problem] == [3, *([len(lines) - 1] if "H45;Ash" in between else [])]


def test_each_of_several_such_quotes_costs_its_own_row() -> None:
    found = rows(
        [ROWS[0], 'H50;"Oak;Lyon;1', ROWS[1], 'H51;12";Nice;2', 'H52;"Elm;Lyon;3', 'H53;6";Nice;4', ROWS[2]]
    )
    assert [row.line for row in found if row.problem] == [3, 6]
    assert [row.fields["name"] for row in found if not row.problem] == [
        "Hospital 1", "Hospital 2", '12"', '6"', "Hospital 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "cells",
    [
        'H50;Oak;"Main Street 1\r\nLyon";9',
        'H50;Oak;"1 Main Street; Floor 2\r\nSpringfield; IL; USA";9',
        'H50;"Oak; North\r\nWing; East; 2";Lyon;9',
        'H50;"Oak;North\r\nWing;East;Two";Lyon;9',
        '"H50;a\r\nb;c";Oak;Lyon;9',
        'H50;Oak;Lyon;"one;\r\ntwo;three;four;\r\nfive;six;seven;"',
        'H50;Oak;Lyon;"' + "a line;\r\n" * 400 + '"',
        'H50;Oak;Lyon;"' + "a; line; of; it\r\n" * 400 + '"',
        'H50;Oak;Lyon;"\r\n\r\n9"',
    ],
)
def test_a_cell_of_several_lines_stays_whole(cells: str) -> None:
    found = rows([ROWS[0], cells, ROWS[1]])
    assert [row.problem for row in found] == [None] * 3
    assert [row.fields["id"] for row in found][::2] == ["H1", "H2"]


def test_an_escaped_quote_opens_nothing() -> None:
    found = rows(['H50;\\"Oak;Lyon;1', 'H51;Elm\\";Nice;2', 'H52;"Yew \\"a;Lyon;3', 'H53;12";Nice;4'], escape="\\")
    assert [(row.line, row.problem is not None) for row in found] == [(2, False), (3, False), (4, True), (5, False)]
