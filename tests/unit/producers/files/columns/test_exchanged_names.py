"""A list whose name and address are exchanged is refused: nobody knows which of its words are right."""

import pytest

from producers.files.columns import ColumnError
from tests.support.tables import choose, fields

ADDRESSES = ["Hill Road 1", "Oak Street 22", "5 Lake Avenue", "Harbour 7"]
HOSPITALS = ["North Hospital", "South Clinic", "West Hospital", "East Hospital"]


@pytest.mark.parametrize(
    "header",
    ["NAME,ADDRESS", "Nom,Adresse", "Facility Name,Street", "Nombre,Dirección", "名称,住所", "Name,Anschrift"],
)
def test_exchanged_columns_are_not_read(header: str) -> None:
    with pytest.raises(
        ColumnError, match=r"looks like an address in nearly all rows, and .* has names of hospitals"
    ):
        choose(header.split(","), list(zip(ADDRESSES, HOSPITALS, strict=True)))


@pytest.mark.parametrize(
    ("names", "addresses"),
    [
        (HOSPITALS, ADDRESSES),
        (["Ward 5", "Post 12", "Unit 7", "Block 9"], ADDRESSES),
        (HOSPITALS, ["Hospital Road 1", "Clinic Street 2", "Hospital Hill 3", "Clinic Lane 4"]),
        (["St. Mary 1", "Oak", "Elm", "Ash"], HOSPITALS),
    ],
)
def test_other_names_and_addresses_stay(names: list[str], addresses: list[str]) -> None:
    columns = choose(["name", "address"], list(zip(names, addresses, strict=True)))
    assert fields(columns)["hospital_name"] == "name"
