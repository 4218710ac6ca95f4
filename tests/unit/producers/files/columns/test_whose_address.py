"""Names of columns that say which address they are of: billing, mailing, of the office."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes

ROWS = [("A Hospital", "Rome", "12345"), ("B Hospital", "Pisa", "23456"), ("C Hospital", "Bari", "34567")]


def mapped(folder: Path, header: str, rows: Sequence[tuple[str, ...]]) -> dict[str, str]:
    path = folder / "list.csv"
    path.write_text("\n".join([header, *map(",".join, rows)]) + "\n")
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="q")))
    return {it.field: " + ".join(it.columns) for it in file.columns.mapped}


@pytest.mark.parametrize(
    "column",
    [
        "BillingPostalCode", "MailingPostalCode", "ShippingPostalCode", "business_postal_code", "code_postal_siege",
        "Code postal siège", "Kode Pos Kantor", "BillingZip", "Mailing Pincode", "Correspondence Postcode",
        "Postcode kantoor",
    ],
)  # fmt: skip
def test_a_postal_code_of_any_address_is_no_identifier(tmp_path: Path, column: str) -> None:
    assert mapped(tmp_path, f"Name,Town,{column}", ROWS) == {
        "hospital_name": "Name",
        "city": "Town",
        "postal_code": column,
    }


@pytest.mark.parametrize(
    "column", ["Plus Code", "ICD code", "Dial code", "Cost centre code", "Postal Code of HQ", "Zip Code Suffix"]
)
def test_a_code_of_something_else_is_no_identifier(tmp_path: Path, column: str) -> None:
    assert column not in mapped(tmp_path, f"Name,Town,{column}", ROWS).values()


@pytest.mark.parametrize("column", ["Facility Code", "HospCode", "Code", "Centre code"])
def test_a_code_of_the_hospital_identifies_it(tmp_path: Path, column: str) -> None:
    assert mapped(tmp_path, f"Name,Town,{column}", ROWS)["external_id"] == column


def test_all_parts_of_such_an_address_are_read(tmp_path: Path) -> None:
    rows = [
        ("A Hospital", "1 Main St", "San Antonio", "Texas", "78229"),
        ("B Hospital", "2 Main St", "Austin", "Texas", "78701"),
    ]
    found = mapped(tmp_path, "Name,BillingStreet,BillingCity,BillingState,BillingPostalCode", rows)
    assert found == {
        "hospital_name": "Name",
        "address": "BillingStreet",
        "city": "BillingCity",
        "state": "BillingState",
        "postal_code": "BillingPostalCode",
    }


@pytest.mark.parametrize(
    "column",
    [
        "nume",
        "nom_clinique",
        "nombre_clinica",
        "nome_clinica",
        "klinikk_navn",
        "nome_poliambulatorio",
        "nazwa_kliniki",
    ],
)
def test_the_name_of_a_clinic_is_that_of_the_hospital(tmp_path: Path, column: str) -> None:
    assert (
        mapped(tmp_path, f"{column},town,id", [("A", "Rome", "X1"), ("B", "Pisa", "X2")])["hospital_name"] == column
    )


@pytest.mark.parametrize("where", ["Street", "Physical", "Location"])
def test_where_a_hospital_stands_is_preferred_to_where_letters_go(tmp_path: Path, where: str) -> None:
    rows = [("A Hospital", "Ohio", "Utah"), ("B Hospital", "Iowa", "Nevada")]
    assert mapped(tmp_path, f"Name,Mailing State,{where} State", rows)["state"] == f"{where} State"
