import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from producers.files import HospitalFile
from producers.files.values import MISSING, RowReader, ValueWishes, choose_readers
from tests.support.columns import Column, Mapped, Row, read_column, read_rows

CODE = "!may be a code or mean 'not known'; if it is a code, add it to state.codes in a profile"
KEPT = ["RM", "RM", "MI", "MI", "TO", "TO", "PINEROLO", "ALBA"]


@pytest.mark.parametrize(
    ("field", "cells", "values"),
    [
        ("city", ["NULL", "N/A", "\\N", "-", "unknown", "sin dato", "不明", "-999", "0", "brak"], [MISSING] * 10),
        ("city", ["None", "Rome"], [MISSING, "Rome"]),
        ("city", ["NA", "NONE", "nan", "na", "NaN"], [MISSING] * 5),
        ("city", ["Nan", "Nada", "Leer", "Na", "Ingen", "Néma"], ["Nan", "Nada", "Leer", "Na", "Ingen", "Néma"]),
        ("address", ["NA", "S/N", "0", "0.0", "1"], [MISSING, MISSING, MISSING, MISSING, "1"]),
        ("hospital_name", ["Na", "NA", "None", "NONE", "nan", "0"], ["Na", *[MISSING] * 5]),
        ("hospital_name", ["None Hospital", "Unknown Soldier Clinic"], ["None Hospital", "Unknown Soldier Clinic"]),
        ("country", ["NA", "DE", "FR", "ZA"], ["NA", "DE", "FR", "ZA"]),
        ("country", ["NA", "NA"], [MISSING, MISSING]),
        ("state", ["NA", "RM", "MI", "NA"], ["NA", "RM", "MI", "NA"]),
        ("state", ["N.D.", "S.D.", "TX"], ["N.D.", "S.D.", "TX"]),
        ("state", ["N.C.", "S. D.", "N.B."], [CODE, CODE, CODE]),
        ("state", ["N.C.", "TX", "CA", "Y.T.", "NM"], ["N.C.", "TX", "CA", "Y.T.", "NM"]),
        ("city", ["N.D.", "N.C."], [MISSING, MISSING]),
        ("state", ["N.A.", "N/D", "Texas"], [MISSING, MISSING, "Texas"]),
        ("state", ["ND", "ND", "ND"], ["ND", "ND", "ND"]),
        ("state", ["SD"], ["SD"]),
        ("state", ["N/A", "TX"], [MISSING, "TX"]),
        ("state", ["NA", "Texas", "Ohio"], [MISSING, "Texas", "Ohio"]),
        ("state", ["NA", "TX", "NY", "CA"], [CODE, "TX", "NY", "CA"]),
        ("state", ["NA", "TX", "NY", "Ohio"], [CODE, "TX", "NY", "Ohio"]),
        ("county", ["NA", "RM", "MI"], ["NA", "RM", "MI"]),
        ("county", ["NA", "RM", "RM", "MI", "MI", "TO", "TO", "PINEROLO", "ALBA"], ["NA", *KEPT]),
        ("county", ["NA", "Rome"], [MISSING, "Rome"]),
        ("city", ["NA", "RM", "MI"], ["NA", "RM", "MI"]),
    ],
)
def test_short_words_are_judged_by_field_and_spelling(field: str, cells: list[str], values: list[object]) -> None:
    assert read_column(field, cells) == values


def test_a_code_that_means_missing_elsewhere_is_reported() -> None:
    rows = [{"name": "A", "state": "NA", "beds": "NA"}, {"name": "B", "state": "RM", "beds": "5"}]
    first, second = read_rows({"hospital_name": "name", "state": "state", "beds": "beds"}, rows)
    assert [(it.field, it.value, it.reason) for it in first.left_out] == [("state", "NA", CODE[1:])]
    assert second.record is not None
    assert second.record.state == "RM"


def test_a_code_that_the_sample_does_not_have_is_reported() -> None:
    readers = choose_readers([Mapped("state", ("s",))], {"s": Column(["TX", "CA", "NY"])}, ValueWishes())
    row = RowReader([Mapped("state", ("s",))], readers, constants={"hospital_name": "A"}).read(Row({"s": "NA"}))
    assert [it.reason for it in row.left_out] == [CODE[1:]]


def test_a_name_that_counts_as_missing_is_noted_with_its_number() -> None:
    mapped = [Mapped("hospital_name", ("n",)), Mapped("city", ("c",))]
    reader = RowReader(mapped, choose_readers(mapped, {}, ValueWishes()))
    for city in ("None", "None", "Rome", "NA", "unknown"):
        assert reader.read(Row({"n": "A", "c": city})).record is not None
    assert reader.notes() == ["city: 'NA' counts as missing (1 cell)", "city: 'None' counts as missing (2 cells)"]


def test_a_place_that_may_be_a_code_is_reported_in_every_field() -> None:
    for field in ("city", "county", "state", "country"):
        rows = [{"n": "A", "p": "NA"}, {"n": "B", "p": "XQ"}, {"n": "C", "p": "Rome"}]
        first, *_ = read_rows({"hospital_name": "n", field: "p"}, rows)
        ((name, value, reason),) = [(it.field, it.value, it.reason) for it in first.left_out]
        assert (name, value) == (field, "NA")
        assert f"add it to {field}.codes in a profile" in reason
        (kept,) = read_rows(
            {"hospital_name": "n", field: "p"}, rows[:1], wishes=ValueWishes(settings={f"{field}.codes": "NA"})
        )
        assert kept.record is not None
        assert getattr(kept.record, field) == "NA"


def test_a_profile_says_which_words_are_codes() -> None:
    assert read_column("state", ["NA", "ND"], ValueWishes(settings={"state.codes": "NA"})) == ["NA", CODE]


@pytest.mark.parametrize(
    "field",
    ["beds", "phone", "postal_code", "latitude", "location", "observed_at", "address", "city"],
)
def test_every_word_of_the_table_counts_as_missing(field: str) -> None:
    words = tomllib.loads(files("worker.contract").joinpath("placeholders.toml").read_text("utf-8"))
    for word in (*words["unknown"], *words["none"], *words["exact"], *words["short"]):
        for cell in (word, word.upper(), f"({word})"):
            known = read_column(field, [cell])[0] is MISSING
            # In parentheses, what programs write would be other words.
            assert known or (word in words["exact"] and cell.startswith("(")), cell


def test_a_total_below_a_list_does_not_decide_how_its_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name;city;code;beds\nA;X;K1;1,200\nB;Y;K2;35\nC;Z;K3;80\nD;W;K4;95\nTOTAL;TOTAL;;1410\n")
    file = HospitalFile.open(path)
    assert [row.known and row.known["beds"] for row in file.rows()] == [1200, 35, 80, 95, None]
