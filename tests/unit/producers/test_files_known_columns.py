from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.known_columns import Columns

PATH = Path("list.csv")


def targets(columns: Columns) -> dict[str, str]:
    return {target: column for column, target, _ in columns.plan}


def begun(
    *names: str, mapping: dict[str, str] | None = None, source: str | None = None, nested: bool = False
) -> Columns:
    columns = Columns(PATH, mapping=mapping or {}, source=source, nested=nested)
    columns.begin(names)
    return columns


def test_column_names_of_the_cms_list_are_recognised() -> None:
    names = (
        "Facility ID", "Facility Name", "Address", "City/Town", "State", "ZIP Code", "County/Parish",
        "Telephone Number", "Hospital Type", "Hospital Ownership", "Emergency Services", "Hospital overall rating",
    )  # fmt: skip
    columns = begun(*names, source="cms")
    assert targets(columns) == {
        "hospital_name": "Facility Name",
        "external_id": "Facility ID",
        "address": "Address",
        "city": "City/Town",
        "state": "State",
        "postal_code": "ZIP Code",
        "county": "County/Parish",
        "phone": "Telephone Number",
        "ownership": "Hospital Ownership",
        "emergency_services": "Emergency Services",
    }
    # Its "Hospital Type" separates acute care from psychiatry, which is not the meaning of hospital_type here.
    assert columns.left_out == ["Hospital Type", "Hospital overall rating"]
    assert columns.constants == {"source": "cms"}


@pytest.mark.parametrize(
    "name",
    [
        "HOSPITAL_NAME",
        " hospital-name ",
        "Hospital.Name",
        "".join(chr(ord(letter) + 0xFEE0) for letter in "hospital") + " name",
    ],
)
def test_column_names_match_without_case_space_punctuation_and_form(name: str) -> None:
    assert targets(begun(name)) == {"hospital_name": name}


def test_the_first_known_name_takes_precedence() -> None:
    columns = begun("name", "Facility Name")
    assert targets(columns) == {"hospital_name": "Facility Name"}
    assert columns.left_out == ["name"]


def test_an_identifier_is_used_only_with_a_source() -> None:
    alone = begun("name", "Facility ID")
    assert "external_id" not in targets(alone)
    assert alone.unused_identifier == "Facility ID"
    assert begun("name", "Facility ID", source="cms").unused_identifier is None
    assert targets(begun("name", "source", "Facility ID"))["external_id"] == "Facility ID"


def test_a_given_source_takes_precedence_over_a_column() -> None:
    columns = begun("name", "source", source="cms")
    assert "source" not in targets(columns)
    assert columns.left_out == ["source"]


def test_a_mapping_takes_precedence_over_known_names() -> None:
    columns = begun("name", "Klinik", mapping={"hospital_name": "Klinik"})
    assert targets(columns) == {"hospital_name": "Klinik"}
    assert targets(begun("Facility Name", "x", mapping={"hospital_name": "facility_name"})) == {
        "hospital_name": "Facility Name"
    }


def test_a_mapped_column_is_not_used_twice() -> None:
    columns = begun("name", "town", mapping={"county": "town"})
    assert targets(columns) == {"hospital_name": "name", "county": "town"}


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"bedz": "name"}, r"unknown field 'bedz'; fields are .*beds.*latitude"),
        ({"beds": "Betten"}, r"no column 'Betten' for --map; its columns are 'name', 'city'"),
    ],
)
def test_the_error_for_an_invalid_mapping_lists_fields_or_columns(mapping: dict[str, str], problem: str) -> None:
    with pytest.raises(FileError, match=problem):
        begun("name", "city", mapping=mapping)


def test_a_header_without_a_name_column_is_refused() -> None:
    with pytest.raises(FileError, match=r"no column for the hospital's name.*'town', 'beds'"):
        begun("town", "beds")


def test_objects_are_read_from_json_only() -> None:
    assert "location" not in targets(begun("name", "location"))
    assert targets(begun("name", "location", nested=True))["location"] == "location"


def test_later_columns_are_learned_in_bounded_memory() -> None:
    columns = begun("name")
    assert columns.unknown({"beds": 1})
    columns.learn(["beds"])
    assert targets(columns) == {"hospital_name": "name", "beds": "beds"}
    columns.learn(f"x{number}" for number in range(50_000))
    assert len(columns.left_out) < 10_000
