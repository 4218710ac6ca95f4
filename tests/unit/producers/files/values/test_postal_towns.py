import pytest

from producers.files.values import MISSING
from tests.support.columns import read_column, read_rows


@pytest.mark.parametrize(
    ("cell", "code", "town"),
    [
        ("01440 VIRIAT", "01440", "VIRIAT"),
        ("D-80331  München", "D-80331", "München"),
        ("123 45 Umeå", "123 45", "Umeå"),
        ("00-950 Warszawa", "00-950", "Warszawa"),
        ("1600-028, Lisboa", "1600-028", "Lisboa"),
        ("13000-100 Campinas", "13000-100", "Campinas"),
        ("LV-1010 Rīga", "LV-1010", "Rīga"),
        ("Rīga, LV-1010", "LV-1010", "Rīga"),
        ("101000 Москва", "101000", "Москва"),
        ("1012 AB Amsterdam", "1012 AB", "Amsterdam"),
        ("1012AB 's-Gravenhage", "1012AB", "'s-Gravenhage"),
        ("2300 LA CHAUX-DE-FONDS", "2300", "LA CHAUX-DE-FONDS"),
        ("London SW1A 1AA", "SW1A 1AA", "London"),
        ("69003 LYON 03", "69003", "LYON 03"),
        ("Springfield 62701-1234", "62701-1234", "Springfield"),
    ],
)
def test_a_postal_code_and_a_town_in_one_cell_are_divided(cell: str, code: str, town: str) -> None:
    assert read_column("postal_code", [cell, cell]) == [code, code]
    assert read_column("city", [cell, cell]) == [town, town]


@pytest.mark.parametrize(
    "cells",
    [
        ["Viriat", "Lyon 03"],
        ["Ward 1001", "Ward 1002"],
        ["101 North", "102 South"],
        ["12 de Octubre", "9 de Julio"],
        ["1440 Viriat", "Lyon", "Bourg"],
    ],
)
def test_other_towns_are_read_as_they_are(cells: list[str]) -> None:
    assert read_column("city", cells) == cells


@pytest.mark.parametrize("cells", [["1012 AB", "1013 CD"], ["SW1A 1AA", "LS1 3EX"], ["01440", "123 45"]])
def test_postal_codes_alone_are_read_as_they_are(cells: list[str]) -> None:
    assert read_column("postal_code", cells) == cells


def test_the_sign_of_the_post_is_no_part_of_the_code() -> None:
    cells = ["〒060-0001 札幌市", "〒060-0002 札幌市", "060-0003 札幌市"]
    assert read_column("postal_code", cells) == ["060-0001", "060-0002", "060-0003"]


def test_a_cell_without_both_is_read_as_what_it_is() -> None:
    cells = ["1000 Aveda"] * 60 + ["Brusk", "1001", "2 Brusk 3", "1002 Bø"]
    assert read_column("city", cells)[-4:] == ["Brusk", MISSING, "2 Brusk 3", "Bø"]
    assert read_column("postal_code", cells)[-4:] == [
        MISSING,
        "1001",
        "!has no postal code that can be told from the town",
        "1002",
    ]


def test_both_fields_of_a_row_are_read_from_one_column() -> None:
    fields = {"hospital_name": "name", "city": "PLZ Ort", "postal_code": "PLZ Ort"}
    (row,) = read_rows(fields, [{"name": "A Clinic", "PLZ Ort": "80331 München"}])
    assert row.known is not None
    assert (row.known["city"], row.known["postal_code"]) == ("München", "80331")
