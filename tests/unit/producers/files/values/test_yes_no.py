# ruff: noqa: RUF001  (cells in many scripts)

from typing import Any

import pytest

from producers.files.values import MISSING, UnreadableCell, ValueWishes, choose_readers
from producers.files.values.words import table
from tests.support.columns import Column, Mapped, read_column
from worker.contract.placeholders import word_key

NEITHER = "!is neither yes nor no"
FIELD = "emergency_services"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("Yes", True), ("YES ", True), ("y", True), ("TRUE", True), ("t", True), ("1", True), ("1.0", True),
        ("SI", True),
        ("Sí", True), ("sim", True), ("oui", True), ("ja", True), ("Tak", True), ("ano", True), ("evet", True),
        ("Ya", True),
        ("да", True), ("так", True), ("є", True), ("はい", True), ("有", True), ("あり", True), ("是", True),
        ("예", True),
        ("있음", True), ("نعم", True), ("ใช่", True), ("हाँ", True), ("có", True), ("igen", True), ("ναι", True),
        ("○", True), ("〇", True), ("◯", True), ("◎", True), ("✓", True), ("✔", True), ("✔️", True),
        ("☑", True), ("24/7", True),
        ("24 horas", True), ("24時間", True), ("available", True),
        ("No", False), ("n", False), ("false", False), ("F", False), ("0", False), ("0.0", False),
        ("não", False), ("non", False),
        ("nein", False), ("nie", False), ("ne", False), ("hayır", False), ("Tidak", False), ("нет", False),
        ("ні", False),
        ("немає", False), ("いいえ", False), ("無", False), ("なし", False), ("否", False), ("无", False),
        ("아니오", False),
        ("없음", False), ("لا", False), ("ไม่มี", False), ("नहीं", False), ("không", False), ("×", False),
        ("✗", False), ("✕", False),
        ("N/A", MISSING), ("NULL", MISSING), ("None", MISSING), ("-", MISSING), ("?", MISSING),
        ("unknown", MISSING),
        ("不明", MISSING), ("", MISSING), ("Not Available", MISSING), ("tidak tersedia", MISSING),
        ("brak danych", MISSING),
        ("N1", NEITHER), ("maybe", NEITHER), ("△", NEITHER), ("2", NEITHER), ("a", NEITHER), ("d", NEITHER),
        ("partially", NEITHER),
        (True, True), (False, False), (1, True), (0, False), (1.0, True), (2, NEITHER), (0.5, NEITHER),
        (None, MISSING),
        ([True], NEITHER), ({}, NEITHER),
    ],
)  # fmt: skip
def test_an_answer_is_read(cell: object, value: Any) -> None:
    assert read_column(FIELD, [cell]) == [value]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["x", "", "X"], [True, MISSING, True]),
        (["x", "○"], [False, True]),
        (["x", "Yes"], [False, True]),
        (["x", "No"], [True, False]),
        (["O", "X"], [True, False]),
        (["x", "Yes", "No"], [NEITHER, True, False]),
        (["1", "0"], [True, False]),
        (["1", "2"], [NEITHER, NEITHER]),
        (["1", "0", "5"], [NEITHER, NEITHER, NEITHER]),
        ([True, False, 1], [True, False, True]),
        (["S", "N"], [True, False]),
        (["J", "N"], [True, False]),
        (["O", "N"], [True, False]),
        (["V", "F"], [True, False]),
        (["E", "H"], [True, False]),
        (["T", "F"], [True, False]),
        (["A", "B", "N"], [NEITHER, NEITHER, NEITHER]),
        (["Y", "N", "U"], [True, False, NEITHER]),
        (["N", "S", "E", "W"], [NEITHER] * 4),
        (["Available", "Not available"], [True, False]),
        (["Disponible", "No disponible"], [True, False]),
        (["Yes", "Not available"], [True, MISSING]),
    ],
)
def test_letters_crosses_and_numbers_are_decided_by_the_column(cells: list[object], values: list[object]) -> None:
    assert read_column(FIELD, cells) == values


def test_a_profile_decides_the_answers() -> None:
    settings = {f"{FIELD}.yes": "1", f"{FIELD}.no": "2, x"}
    assert read_column(FIELD, ["1", "2", "x"], ValueWishes(settings=settings)) == [True, False, False]


def test_no_word_means_yes_and_no() -> None:
    words = table("yes_no")
    assert not {word_key(word) for word in words["yes"]} & {word_key(word) for word in words["no"]}
    assert not set(words["yes_signs"]) & set(words["no_signs"])


def test_a_value_that_the_sample_lacks_counts_if_all_values_are_known() -> None:
    mapped = [Mapped(FIELD, ("e",))]
    readers = choose_readers(mapped, {"e": Column(["1", "1"], {"1": 999, "2": 1})}, ValueWishes())
    with pytest.raises(UnreadableCell):
        readers.by_field[FIELD].read(("1",))


@pytest.mark.parametrize(
    ("name", "answer"), [("yes", True), ("no", False), ("yes_signs", True), ("no_signs", False)]
)
def test_every_word_of_the_table_is_its_answer(name: str, answer: bool) -> None:
    for word in table("yes_no")[name]:
        assert read_column(FIELD, [word, f" {word.upper()} "]) == [answer, answer], word
