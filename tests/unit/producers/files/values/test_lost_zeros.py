"""Numbers that are a digit shorter than most of their column may have lost a zero, and a note says so."""

import pytest

from producers.files.values.lost_zeros import lost_zeros, lost_zip_zeros


@pytest.mark.parametrize(
    ("field", "cells"),
    [
        ("postal_code", ["90095", "10001", "2114", "60601", "6103"]),
        ("postal_code", [90095, 10001, 2114, 60601]),
        ("postal_code", ["75011", "1000", "69002", "31000"]),
        ("external_id", ["330000000", "10000000", "750000001", "690000002"]),
        ("local_id", [330000000, 10000000, 750000001]),
        ("postal_code", ["110001", "110002", "80010", "400001"]),
    ],
)
def test_shorter_numbers_are_noted(field: str, cells: list[object]) -> None:
    assert "leading zeros" in lost_zeros(field, cells)


@pytest.mark.parametrize(
    ("field", "cells"),
    [
        ("postal_code", ["90095", "02114", "10001"]),
        ("postal_code", ["1010", "8010", "6020"]),
        ("postal_code", ["101", "200", "310"]),
        ("postal_code", ["SW1A 1AA", "M1 1AE", "90095", "2114"]),
        ("external_id", ["9", "10", "11", "12"]),
        ("external_id", ["99998", "99999", "100000", "100001"]),
        ("local_id", ["A100", "A1000"]),
        ("postal_code", []),
    ],
)
def test_other_numbers_are_not(field: str, cells: list[object]) -> None:
    assert not lost_zeros(field, cells)


@pytest.mark.parametrize(
    ("codes", "states", "noted"),
    [
        (["8401", "7102", "8608"], ["NJ"], True),
        ([8401, 7102, 8608], ["New Jersey", "NJ"], True),
        (["2114", "2139", "03801", "1002"], ["MA", "NH"], True),
        (["901", "926"], ["PR"], False),
        (["08401", "07102"], ["NJ"], False),
        (["08401", "07102", "7102"], ["NJ"], False),
        (["8401", "7102"], ["NY", "NJ"], False),
        (["8401", "7102"], [], False),
        (["1010", "8010"], ["Wien", "Steiermark"], False),
        ([], ["NJ"], False),
    ],
)
def test_zip_codes_that_all_lost_their_zero_are_noted(codes: list[object], states: list[str], noted: bool) -> None:
    assert ("begin with 0" in lost_zip_zeros(codes, states)) == noted
