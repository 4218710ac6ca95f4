"""Numbers that are a digit shorter than most of their column may have lost a zero, and a note says so."""

import pytest

from producers.files.values.lost_zeros import lost_zeros


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
