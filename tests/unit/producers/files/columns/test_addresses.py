from collections.abc import Sequence

import pytest

from producers.files.columns import Columns
from tests.support.tables import choose, fields


def _chosen(header: str, *rows: Sequence[str]) -> Columns:
    """Choose the columns of 60 rows: `#` in a cell is the number of the row, `~` a name that no other row has."""
    filled = [
        [cell.replace("#", str(number)).replace("~", _name(number)) for cell in rows[number % len(rows)]]
        for number in range(60)
    ]
    return choose(["name", *header.split("|")], [[f"Clinic {n}", *row] for n, row in enumerate(filled)])


def _name(number: int) -> str:
    return "".join("ABCDEFGHIJ"[int(digit)] for digit in str(number))


@pytest.mark.parametrize(
    "header",
    [
        "addr:street|addr:housenumber",
        "Straße|x|Hausnr.",
        "NO_LOGRADOURO|NU_ENDERECO",
        "Hospital street|House Number",
    ],
)
def test_a_column_that_is_called_a_house_number_is_joined_even_if_all_numbers_differ(header: str) -> None:
    street, *_, number = header.split("|")
    cells = ("~ Street", "same", "#") if "|x|" in header else ("~ Street", "#")
    assert fields(_chosen(header, cells))["address"] == f"{street}+{number}"


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("numvoie|typvoie|voie", [("#", "RTE", "DE ~"), ("#", "AV", "DU ~")], "numvoie+typvoie+voie"),
        ("voie|typvoie", [("DE ~", "RUE")], "typvoie+voie"),
        (
            "TP_LOGRADOURO|NO_LOGRADOURO|NU_ENDERECO",
            [("RUA", "~", "#"), ("AV", "~", "S/N")],
            "TP_LOGRADOURO+NO_LOGRADOURO+NU_ENDERECO",
        ),
        (
            "Tipo de vialidad|Nombre de la vialidad|Número exterior",
            [("CALLE", "~", "#")],
            "Tipo de vialidad+Nombre de la vialidad+Número exterior",
        ),
        ("Street name|Street type", [("~", "Road")], "Street name+Street type"),
        # The streets have their type, and codes are none.
        ("typvoie|voie", [("RUE", "RUE DE ~"), ("AV", "AVENUE DE ~")], "voie"),
        ("typvoie|voie", [("81", "DE ~")], "voie"),
    ],
)
def test_the_type_of_a_street_is_joined_to_its_name(
    header: str, rows: Sequence[Sequence[str]], expected: str
) -> None:
    assert fields(_chosen(header, *rows))["address"] == expected


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("numvoie|voie|compvoie", ("#", "DE ~", "BIS"), "numvoie+compvoie+voie"),
        ("Straatnaam|Huisnummer|Toevoeging", ("~weg", "#", "A"), "Straatnaam+Huisnummer+Toevoeging"),
        (
            "Straatnaam|Huisnummer|Huisletter|Toevoeging",
            ("~weg", "#", "A", "2"),
            "Straatnaam+Huisnummer+Huisletter+Toevoeging",
        ),
        # Only beside the number, only short, and not without the number.
        ("Straatnaam|Huisnummer|x|Toevoeging", ("~weg", "#", "same", "A"), "Straatnaam+Huisnummer"),
        ("Straatnaam|Huisnummer|Toevoeging", ("~weg", "#", "behind the church"), "Straatnaam+Huisnummer"),
        ("Straatnaam|Toevoeging", ("~weg", "A"), "Straatnaam"),
    ],
)
def test_what_belongs_to_a_house_number_is_joined_to_it(header: str, row: Sequence[str], expected: str) -> None:
    assert fields(_chosen(header, row))["address"] == expected


@pytest.mark.parametrize(
    ("number", "reason"), [("#", "Calle has numbers itself"), ("upper floor", "its cells are not house numbers")]
)
def test_a_house_number_that_is_not_joined_is_noted(number: str, reason: str) -> None:
    chosen = _chosen("Calle|Número exterior", ("Calle #" if number == "#" else "~", number))
    (note,) = chosen.notes
    assert note.startswith(f"Número exterior is not joined to the address, because {reason}; to join it: --map")
    # Nor is it an identifier, although its numbers differ.
    assert "local_id" not in fields(chosen)


def test_a_house_number_is_joined_to_an_address_of_several_lines() -> None:
    chosen = _chosen("Address1|Address2|House number", ("~", "North", "#"))
    assert fields(chosen)["address"] == "Address1+Address2+House number"


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("Line 1|Line 2|Line 3|Line 4", ("Hill ~", "Old Town", "", "Leeds"), "Line 1+Line 2+Line 4"),
        ("Line 1|Line 2|Line 3|Line 4", ("Hill ~", "", "", "Leeds"), "Line 1+Line 4"),
        # There is no third line.
        ("Line 1|Line 2|Line 4", ("Hill ~", "Old Town", "Leeds"), "Line 1+Line 2"),
    ],
)
def test_an_empty_line_of_an_address_does_not_end_it(header: str, cells: Sequence[str], expected: str) -> None:
    chosen = _chosen(header.replace("Line", "Address Line"), cells)
    assert fields(chosen)["address"].replace("Address ", "") == expected
