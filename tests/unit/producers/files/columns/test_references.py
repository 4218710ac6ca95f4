import json
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.columns.names import identifier_cost

_OWN, _DATABASE = range(10, 20), identifier_cost("id")


@pytest.mark.parametrize(
    "column",
    [
        "ref:FR:FINESS", "ref:fr:finess", "ref:FINESS", "ref:IE:HSE", "ref:US:NPI", "ref:IT:ministero_salute",
        "ref_FR_FINESS", "ref.FR.FINESS", "tags.ref:FR:FINESS", "properties.ref:IE:HSE",
    ],
)  # fmt: skip
def test_the_reference_of_an_authority_is_the_hospitals_own_identifier(column: str) -> None:
    assert identifier_cost(column) in _OWN


@pytest.mark.parametrize(
    "column", ["ref", "ref:bag", "ref:FR:SIRET", "ref:FR:INSEE", "ref:LU:commune", "ref_no_of_ward", "ref no of x"]
)
def test_other_references_are_no_better_than_the_number_of_a_database(column: str) -> None:
    assert identifier_cost(column) not in _OWN


def test_a_register_is_as_good_as_its_name_alone() -> None:
    assert identifier_cost("ref:FR:FINESS") == identifier_cost("FINESS")
    assert identifier_cost("ref:FR:SIRET") == identifier_cost("SIRET")


def test_the_code_of_an_authority_comes_before_the_id_of_a_feature(tmp_path: Path) -> None:
    path = tmp_path / "list.geojson"
    features = [
        {
            "type": "Feature",
            "id": f"way/{number}",
            "properties": {"name": f"Hôpital {number}", "ref:FR:FINESS": f"0100{number:05}"},
            "geometry": {"type": "Point", "coordinates": [2.0 + number / 100, 48.0]},
        }
        for number in (17, 4, 250)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="osm")))
    assert file.columns.columns_of("external_id") == ("ref:FR:FINESS",)
    assert "id" in file.columns.candidates
