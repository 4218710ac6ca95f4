import pytest

from producers.files.values import MISSING, ValueWishes
from tests.support.columns import notes_of, read_column, read_rows

NAME = "!may be a name or mean 'not known'"


@pytest.mark.parametrize(
    ("field", "cells", "values"),
    [
        ("city", ["NULL", "N/A", "\\N", "-", "unknown", "sin dato", "不明"], [MISSING] * 7),
        ("city", ["None", "Rome", "Turin"], [NAME, "Rome", "Turin"]),
        ("city", ["NA", "Rome"], [NAME, "Rome"]),
        ("city", ["NA", "Rome", "NA"], [MISSING, "Rome", MISSING]),
        ("city", ["Nan", "Nada", "Leer", "Na"], ["Nan", "Nada", "Leer", "Na"]),
        ("city", ["nan", "na", "nil"], [MISSING] * 3),
        ("county", ["NONE", "OAK"], [NAME, "OAK"]),
        ("city", ["Ingen", "Yok", "Wala"], ["Ingen", "Yok", "Wala"]),
        ("hospital_name", ["Na", "NA", "None", "NONE", "nan"], ["Na", MISSING, MISSING, MISSING, MISSING]),
        ("hospital_name", ["None Hospital", "Unknown Soldier Clinic"], ["None Hospital", "Unknown Soldier Clinic"]),
        ("country", ["NA", "DE", "FR", "ZA"], ["NA", "DE", "FR", "ZA"]),
        ("state", ["NA", "RM", "MI", "NA"], ["NA", "RM", "MI", "NA"]),
        ("state", ["N.D.", "S.D.", "TX"], ["N.D.", "S.D.", "TX"]),
        ("state", ["N/A", "TX"], [MISSING, "TX"]),
        ("state", ["NA", "Texas", "Ohio"], [NAME, "Texas", "Ohio"]),
        ("state", ["ND", "SD", "TX"], ["ND", "SD", "TX"]),
    ],
)
def test_short_words_are_judged_by_field_and_spelling(field: str, cells: list[str], values: list[object]) -> None:
    assert read_column(field, cells) == values


@pytest.mark.parametrize(("word", "city"), [("None", None), ("NA", None), ("Nan", None), ("Rome", "Rome")])
def test_a_word_that_means_missing_elsewhere_means_it_in_a_place_too(word: str, city: str | None) -> None:
    rows = [{"name": "A", "city": word, "phone": "5"}, {"name": "B", "city": "Oslo", "phone": word}]
    read = read_rows({"hospital_name": "name", "city": "city", "phone": "phone"}, rows)
    assert [row.record and row.record.city for row in read] == [city, "Oslo"]
    assert not read[0].left_out


def test_a_code_that_means_missing_elsewhere_is_reported() -> None:
    rows = [{"name": "A", "state": "NA", "beds": "NA"}, {"name": "B", "state": "RM", "beds": "5"}]
    first, _ = read_rows({"hospital_name": "name", "state": "state", "beds": "beds"}, rows)
    assert [(it.field, it.value, it.reason) for it in first.left_out] == [
        ("state", "NA", "may be a code or mean 'not known'")
    ]


def test_a_word_that_is_frequent_is_noted() -> None:
    assert notes_of("city", ["NA", "NA", "Rome"]) == "city: 'NA' counts as missing (2 of 3 sampled cells)"


def test_a_profile_says_which_words_mean_missing() -> None:
    settings = {"city.missing": "None NA"}
    assert read_column("city", ["None", "NA", "Rome"], ValueWishes(settings=settings)) == [MISSING, MISSING, "Rome"]
