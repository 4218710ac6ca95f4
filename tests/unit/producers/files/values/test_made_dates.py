"""Codes that a spreadsheet has taken for dates."""

from pathlib import Path

import pytest

from producers.files import FileWishes
from producers.files.values import ValueWishes
from producers.files.values.made_dates import IS_MADE_DATE
from tests.support.columns import read_column
from tests.support.written_lists import opened, rejected

MADE = f"!{IS_MADE_DATE}"


@pytest.mark.parametrize(
    "date", ["01-Feb", "1-feb", "Feb-13", "2. Mai", "03/Ago", "dic-14", "Sept 2013", "févr-02"]
)
def test_a_date_among_codes_without_letters_is_no_code(date: str) -> None:
    cells = ["1-13", "1-14", "12-40", date]
    assert read_column("external_id", cells) == [*cells[:3], MADE]
    assert read_column("postal_code", cells)[3] == MADE


@pytest.mark.parametrize(
    "cells",
    [
        # Where other codes have letters, these are codes.
        ["MAR-02", "PER-01", "MAG-13"],
        ["MAR-02", "PER-01", "14"],
        ["JAN-1", "APR-20"],
        ["1-13", "1-14", "12-ABC"],
        ["01-02", "2013-02"],
    ],
)
def test_codes_with_letters_stay(cells: list[str]) -> None:
    assert read_column("external_id", cells) == cells


def test_a_profile_says_it_for_rejected_rows_that_have_nothing_else() -> None:
    wishes = ValueWishes(settings={"external_id.made_dates": "yes"})
    assert read_column("external_id", ["01-Feb"], wishes) == [MADE]


def test_such_a_row_is_rejected_and_the_profile_knows_it(tmp_path: Path) -> None:
    rows = [f"{number}-{number + 12};Oak {number};Aveda" for number in range(1, 9)]
    file = opened(tmp_path, "Code;Name;City", *rows, "01-Feb;Elm;Aveda")
    assert file.columns.columns_of("external_id") == ("Code",)
    assert rejected(file) == {10: f"external_id: {IS_MADE_DATE}"}
    assert FileWishes().by_profile(file.profile).values.settings["external_id.made_dates"] == "yes"


def test_one_date_in_a_long_list_is_found(tmp_path: Path) -> None:
    rows = [f"{number}-{number % 89 + 13};Oak {number};Aveda {number % 50}" for number in range(1, 6_001)]
    rows[4_321] = "Mar-77;Elm;Aveda"
    assert rejected(opened(tmp_path, "Code;Name;City", *rows)) == {4_323: f"external_id: {IS_MADE_DATE}"}
