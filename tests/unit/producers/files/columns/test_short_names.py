# ruff: noqa: RUF001  (names in many scripts)
"""Names of columns that lists abbreviate, and names that look like them."""

import pytest

from producers.files.columns.names import fields_by_name, identifier_cost


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("FANTASIA", "hospital_name"),
        ("Nombre Establecim.", "hospital_name"),
        ("Establec.", "hospital_name"),
        ("Ονομασία Νοσοκ.", "hospital_name"),
        ("Vårdpl.", "beds"),
        ("Authorized Bed Cap.", "beds"),
        ("К-сть ліжок", "beds"),
        ("Tfn", "phone"),
        ("Tél. std", "phone"),
        ("Postitoimip.", "city"),
        ("sido", "state"),
        ("sigungu", "county"),
    ],
)
def test_a_short_name_is_known(column: str, field: str) -> None:
    assert field in fields_by_name(column)


@pytest.mark.parametrize("column", ["NO_BAIRRO", "NM_BAIRRO", "std", "Dept", "Nome do bairro"])
def test_a_similar_name_is_no_field(column: str) -> None:
    assert not fields_by_name(column)


def test_the_number_of_a_licence_to_operate_is_an_identifier() -> None:
    assert identifier_cost("LTO No.") is not None
