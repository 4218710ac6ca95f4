import pytest

from producers.files.detection.grouped_headers import names_of
from producers.files.detection.headers import find_header

ROWS = [
    ["1", "Oak", "Hill 1", "101", "Aveda", "12", "3", "15"],
    ["2", "Elm", "Hill 2", "102", "Brusk", "5", "4", "9"],
]


def joined(*header: str, above: bool = True) -> tuple[list[str], int, int]:
    rows = [[*line.split("|")] for line in header] + [row[: header[-1].count("|") + 1] for row in ROWS]
    found = names_of(rows, find_header(rows), above=above)
    return list(found.names), found.row, found.rows


@pytest.mark.parametrize(
    "header",
    [
        ("code|name|Address|||Beds||", "||street|zip|town|general|care|total"),
        ("||Address|||Beds||", "code|name|street|zip|town|general|care|total"),
        ("code||Address|||Beds||", "|name|street|zip|town|general|care|total"),
    ],
)
def test_groups_and_their_parts_are_joined(header: tuple[str, str]) -> None:
    names = ["code", "name", "Address street", "Address zip", "Address town"]
    names += ["Beds general", "Beds care", "Beds total"]
    assert joined(*header) == (names, 0, 2)
    assert joined("List of 2024|||||||", *header) == (names, 1, 2)


@pytest.mark.parametrize(
    "header",
    [
        # A title, and names of groups that no column is apart from, are not names.
        ("Ministry|||2024", "code|name|town|zip"),
        ("|Ministry of Health||", "code|name|town|zip"),
        # Rows of data: with a value in a column that is no group, or with numbers.
        ("code|name||town", "1|Ash|x|Corvo"),
        ("code|name|beds||", "|||7|8"),
    ],
)
def test_other_rows_are_not_joined(header: tuple[str, str]) -> None:
    names, _, rows = joined(*header)
    assert rows == 1
    assert all(" " not in name for name in names)


def test_rows_above_what_the_user_calls_the_header_are_not_read() -> None:
    header = ("||Anschrift|||Beds||", "code|name|street|zip|town|general|care|total")
    assert [joined(*header, above=above)[2] for above in (True, False)] == [2, 1]


def test_rejected_rows_have_one_header() -> None:
    rows = [["import_line", "import_reason", "Beds", ""], ["", "", "a", "b"], ["1", "x", "5", "6"]]
    assert names_of(rows, find_header(rows), above=True).rows == 1


def test_a_part_of_an_address_is_named_alone_where_only_that_says_what_it_is() -> None:
    names, *_ = joined("код|название|Адрес|||Коек||", "||улица|индекс|город|взрослых|детских|всего")
    assert names[2:] == ["улица", "индекс", "город", "Коек взрослых", "Коек детских", "Коек всего"]
    names, *_ = joined("code|name|Manager|||Beds||", "||name|grade|from|a|b|c")
    assert names[2] == "Manager name"
