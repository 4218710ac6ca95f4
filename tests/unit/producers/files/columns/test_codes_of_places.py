"""A code is not a name of a place, and the identifier of an address, an owner or a user is none of a hospital."""

from collections.abc import Sequence

import pytest

from producers.files.columns import ColumnWishes
from tests.support.tables import choose, fields


def read(column: str, cells: Sequence[str]) -> dict[str, str]:
    rows = [[f"Clinic {at}", cells[at % len(cells)]] for at in range(12)]
    return dict(fields(choose(["name", column], rows, ColumnWishes(source="moh"))))


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("region_id", ["13", "14", "15"]),
        ("State Code", ["27", "28", "29"]),
        ("admin2", ["PH082602000", "PH082603000"]),
        ("HealthBoard", ["S08000015", "S08000016"]),
        ("CouncilArea", ["S12000005", "S12000006"]),
        ("Local Authority Code", ["E06000001", "E06000002"]),
        ("NUTS2", ["ITC11", "ITC12"]),
        ("province", ["TH-10", "TH-11"]),
        ("district", ["KH0102", "KH0103"]),
        ("county", ["US-06001", "US-06003"]),
    ],
)
def test_a_code_is_no_place(column: str, cells: list[str]) -> None:
    assert not {"city", "county", "state", "country"} & read(column, cells).keys()


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("State", ["TX", "CA", "NY"]),
        ("State Code", ["TX", "CA", "NY"]),
        ("Province", ["ON", "QC", "BC"]),
        ("UF", ["SP", "RJ", "MG"]),
        ("Sigla provincia", ["TO", "CN", "AT"]),
        ("District", ["D12", "Ward 5", "Zone 1"]),
        ("City", ["Paris 14", "Lyon 3", "Ward 104"]),
        ("Country code", ["FR", "DE", "IT"]),
    ],
)
def test_usual_abbreviations_and_names_with_numbers_stay(column: str, cells: list[str]) -> None:
    assert column in read(column, cells).values()


@pytest.mark.parametrize(
    "column",
    [
        "ADDRESS_ID",
        "ADDR_ID",
        "ADDRID",
        "AID",
        "Created by ID",
        "Updated_By_Id",
        "owner_id",
        "USER_ID",
        "STREET_ID",
        "city id",
        "Contact ID",
        "Adress-ID",
        "id_direccion",
        "ID Proprietario",
        "author code",
        "Town Code",
    ],
)
def test_what_numbers_something_else_is_no_identifier(column: str) -> None:
    assert "external_id" not in read(column, [str(4000 + 37 * at) for at in range(12)])


@pytest.mark.parametrize(
    "column", ["Facility ID", "GIS_ID", "LOCATION_ID", "hospital_code", "CNES", "id", "Site ID", "Provider ID"]
)
def test_identifiers_of_hospitals_stay(column: str) -> None:
    assert read(column, [str(4000 + 37 * at) for at in range(12)])["external_id"] == column


def test_another_identifier_is_used_beside_that_of_an_address() -> None:
    rows = [[f"Clinic {at}", str(9000 + 31 * at), str(4000 + 37 * at)] for at in range(12)]
    columns = choose(["name", "AID", "GIS_ID"], rows, ColumnWishes(source="moh"))
    assert fields(columns)["external_id"] == "GIS_ID"
