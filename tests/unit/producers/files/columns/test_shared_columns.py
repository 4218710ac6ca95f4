import pytest

from producers.files.columns import ColumnWishes
from tests.support.tables import choose, fields


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        (["PLZ Ort"], ["80331 München"], {"city": "PLZ Ort", "postal_code": "PLZ Ort"}),
        (
            ["ligneacheminement"],
            ["01440 VIRIAT"],
            {"city": "ligneacheminement", "postal_code": "ligneacheminement"},
        ),
        (["Postnr och ort"], ["123 45 Umeå"], {"city": "Postnr och ort", "postal_code": "Postnr och ort"}),
        (["Ort"], ["80331 München"], {"city": "Ort", "postal_code": "Ort"}),
        (
            ["libcommune", "ligneacheminement"],
            ["Viriat", "01440 BOURG EN BRESSE CEDEX"],
            {"city": "libcommune", "postal_code": "ligneacheminement"},
        ),
        (
            ["cp", "ligneacheminement"],
            ["01440", "01440 VIRIAT"],
            {"city": "ligneacheminement", "postal_code": "cp"},
        ),
        (["PLZ Ort"], ["München"], {"city": "PLZ Ort"}),
    ],
)
def test_a_postal_code_and_a_town_may_be_in_one_column(
    columns: list[str], cells: list[str], expected: dict[str, str]
) -> None:
    chosen = choose(["name", *columns], [["A Clinic", *cells], ["B Clinic", *cells]])
    assert {field: column for field, column in fields(chosen).items() if field != "hospital_name"} == expected
    is_shared = len(set(expected.values())) < len(expected)
    assert any("has a postal code and a town in most cells" in note for note in chosen.notes) == is_shared


def test_a_field_that_is_left_out_is_not_read_from_a_column_of_postal_code_and_town() -> None:
    rows = [["A Clinic", "80331 München"], ["B Clinic", "80335 München"]]
    chosen = choose(["name", "PLZ Ort"], rows, ColumnWishes(mapping={"postal_code": ""}))
    assert fields(chosen) == {"hospital_name": "name", "city": "PLZ Ort"}
