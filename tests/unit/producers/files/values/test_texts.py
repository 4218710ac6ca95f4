# ruff: noqa: RUF001  (cells in many scripts)

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.values import MISSING
from producers.files.values.texts import CodeReader
from tests.support.columns import read_column, read_rows

ROUNDED = "!is a number that a spreadsheet has rounded, such as 5.4E+09"


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        ("hospital_name", " Oak  Hospital\n", "Oak Hospital"), ("hospital_name", 42, "42"),
        ("hospital_name", 42.0, "42"),
        ("hospital_name", True, "!is yes or no, not text"),
        ("hospital_name", date(2024, 3, 1), "!is a date or a time, not text"),
        ("hospital_name", {"en": "Oak"}, "!is an object, not text"),
        ("hospital_name", ["Oak", "Elm"], "Oak, Elm"),
        ("hospital_name", float("nan"), MISSING), ("hospital_name", b"Oak", "Oak"),
        ("hospital_name", [{}], "!is a list of"),
        ("hospital_name", Decimal("1.5"), "1.5"),
        ("hospital_name", float("inf"), "!is an infinite number, not text"),
        ("address", "-", MISSING), ("address", "S/N", MISSING), ("address", "none", MISSING),
        ("address", "NA", MISSING),
        ("ownership", "Government - State", "Government - State"), ("ownership", "unknown", MISSING),
        ("phone", "NOT AVAILABLE", MISSING), ("phone", "None", MISSING), ("phone", "00000 000000", MISSING),
        ("phone", "0", MISSING),
        ("phone", "(334) 793-8701", "(334) 793-8701"),
        ("phone", "02 5550 2222\n02 5550 3333", "02 5550 2222 02 5550 3333"),
        ("phone", 5411430001, "5411430001"), ("phone", 5411430001.0, "5411430001"),
        ("phone", "5411430001.0", "5411430001"),
        ("phone", "5.411430001E+09", "5411430001"), ("phone", "5.41E+09", ROUNDED),
        ("phone", "０３－１２３４", "03-1234"),
        ("phone", "'0345", "0345"), ("phone", ["1", "2"], "1, 2"),
        ("phone", 1e20, "!is a number with more digits"),
        ("phone", datetime.fromisoformat("2024-03-01"), "!is a date or a time, not text"),
        ("phone", "5E1", "5E1"),
        ("phone", '="0345"', "0345"),
        ("phone", "+", MISSING), ("phone", "00100", "00100"),
        ("phone", "Pendiente", "!has no digit"), ("phone", "٠١٢", "012"), ("phone", "1-800-CLINIC", "1-800-CLINIC"),
        ("postal_code", "Oaktown", "!has no digit"), ("external_id", "OAK", "OAK"),
        ("postal_code", "1425.0", "1425"), ("postal_code", 1425, "1425"), ("postal_code", "C1407KQF", "C1407KQF"),
        ("postal_code", "01234", "01234"), ("postal_code", "00000", MISSING),
        ("postal_code", "1.425E+03", "1425"),
        ("postal_code", "1.42E+03", ROUNDED), ("postal_code", "1425,0", "1425"),
        ("postal_code", "12-345", "12-345"),
        ("postal_code", "〒060-0001", "060-0001"), ("postal_code", "〒 060-0001", "060-0001"),
        ("phone", "☎ 011-001-1234", "011-001-1234"), ("postal_code", "〒", MISSING),
        ("external_id", "0", MISSING), ("external_id", "None", MISSING), ("external_id", "-", MISSING),
        ("external_id", 0, MISSING),
        ("external_id", "007", "007"), ("external_id", 7, "7"), ("external_id", 7.0, "7"),
        ("external_id", "2576001.0", "2576001"),
        ("external_id", "4.1E+12", ROUNDED), ("external_id", "12E3", "12E3"),
        ("external_id", True, "!is yes or no, not text"),
        ("hospital_type", "MULTI", "multi"), ("hospital_type", "Single Specialty", "single"),
        ("hospital_type", "Multi-Speciality Hospital", "multi"), ("hospital_type", "N/A", MISSING),
        ("hospital_type", "Acute Care Hospitals", "!is neither single nor multi"),
        ("hospital_type", 1, "!is neither single nor multi"),
        ("attributes.x", "none", MISSING), ("attributes.x", "无", "无"), ("attributes.x", "unknown", MISSING),
        ("attributes.x", " a\nb ", "a b"), ("attributes.x", 4, 4), ("attributes.x", 4.5, 4.5),
        ("attributes.x", True, True),
        ("attributes.x", 2**70, str(2**70)), ("attributes.x", date(2024, 3, 1), "2024-03-01"),
        ("attributes.x", [1, "a"], '[1,"a"]'),
        ("attributes.x", {}, MISSING), ("attributes.x", -999, MISSING), ("attributes.x", -999.0, MISSING),
        ("attributes.x", "-999", MISSING), ("attributes.x", 0, 0), ("attributes.x", "0", "0"),
        ("attributes.x", float("nan"), MISSING),
        ("attributes.x", Decimal("4.5"), 4.5),
        ("attributes", {"a": " 1 ", "b": "N/A", "c": 2}, {"a": "1", "c": 2}),
        ("attributes", '{"a": 1}', {"a": 1}),
        ("attributes", "[1]", "!is not a JSON object"), ("attributes", '{"a"', "!is not a JSON object"),
        ("attributes", "-", MISSING),
        ("attributes", {}, MISSING), ("source", "cms", "cms"), ("source", "unknown", MISSING),
    ],
)  # fmt: skip
def test_a_cell_becomes_text(field: str, cell: object, value: Any) -> None:
    (found,) = read_column(field, [cell])
    if isinstance(value, str) and value.startswith("!"):
        assert isinstance(found, str)
        assert found.startswith(value)
    else:
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize("field", ["external_id", "postal_code", "phone"])
def test_numbers_with_a_fraction_keep_their_points(field: str) -> None:
    assert read_column(field, ["1.0", "1.5"]) == ["1.0", "1.5"]
    assert read_column(field, ["12.0", "15.0", "A1.0"]) == ["12", "15", "A1.0"]


def test_an_identifier_of_several_columns_needs_them_all() -> None:
    rows = [{"c": "DE", "i": "17", "n": "A"}, {"c": "DE", "i": "0", "n": "B"}, {"c": "", "i": "3", "n": "C"}]
    read = read_rows({"external_id": ("c", "i"), "hospital_name": "n"}, rows, constants={"source": "x"})
    assert [row.record and row.record.external_id for row in read] == ["DE-17", None, None]


def test_a_telephone_number_of_several_columns_has_a_digit_in_one_of_them() -> None:
    rows: list[dict[str, object]] = [
        {"a": "0351", "b": "480-1", "n": "A"},
        {"a": "0351", "b": "ext. Pforte", "n": "B"},
        {"a": "ask", "b": "Pforte", "n": "C"},
    ]
    read = read_rows({"phone": ("a", "b"), "hospital_name": "n"}, rows)
    assert [row.record and row.record.phone for row in read] == ["0351 480-1", "0351 ext. Pforte", None]
    assert [[cell.value for cell in row.left_out] for row in read] == [[], [], ["ask | Pforte"]]


def test_an_address_of_several_columns_takes_those_that_are_known() -> None:
    rows: list[dict[str, object]] = [
        {"s": "Am Wald", "h": "2.0", "n": "A"},
        {"s": "Lange Strasse", "h": "N/A", "n": "B"},
        {"s": "", "h": None, "n": "C"},
    ]
    read = read_rows({"address": ("s", "h"), "hospital_name": "n"}, rows)
    assert [row.record and row.record.address for row in read] == ["Am Wald 2.0", "Lange Strasse", None]


@given(st.lists(st.integers(1, 10**15 - 1), min_size=1), st.sampled_from(["{}", "{}.0", "{},0", "{}.00", "float"]))
def test_whole_numbers_of_spreadsheets_are_exact(numbers: list[int], form: str) -> None:
    cells: list[object] = [float(n) if form == "float" else form.format(n) for n in numbers]
    for number, found in zip(numbers, read_column("postal_code", cells), strict=True):
        assert found == str(number)


@given(st.integers(1, 10**12), st.integers(0, 6))
def test_scientific_notation_is_exact_or_not_read(number: int, decimals: int) -> None:
    cell = f"{number:.{decimals}E}"
    (found,) = read_column("phone", [cell])
    assert found in (str(number), ROUNDED, cell)
    assert (found == cell) == ("+" not in cell)


@pytest.mark.parametrize(
    ("cell", "text"),
    [("Ａ１", "A1"), ("ｈ－００７", "h-007"), ("Ｆ12", "F12"), ("１２３", "123"),
     ("ＦＡＣ／１", "FAC/1"), ("病A1", "病A1"), ("é1", "é1"), ("٣", "3")],
)  # fmt: skip
def test_letters_of_full_width_are_converted_like_digits(cell: str, text: str) -> None:
    assert CodeReader(lambda _: False, whole_floats=False).read((cell,)) == text
