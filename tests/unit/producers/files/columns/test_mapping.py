from collections.abc import Mapping

import pytest

from producers.files.columns import ColumnError, ColumnWishes, Mapped
from tests.support.tables import choose, fields

COLUMNS = ["Klinik", "street", "house_number", "A + B", "A", "B", "Größe", "lat", "lon", "12"]
ROWS = [["North Clinic", "Hill Road", "2", "x", "y", "z", "120", "1.5", "2.5", "w"]]


def mapped(mapping: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    chosen = choose(COLUMNS, ROWS, ColumnWishes(mapping={"hospital_name": "Klinik", **mapping}, source="cms"))
    return {it.field: it.columns for it in chosen.mapped if it.why == "given"}


@pytest.mark.parametrize(
    ("field", "column", "expected"),
    [
        ("hospital_name", "klinik", ("Klinik",)),
        ("beds", "GROSSE", ("Größe",)),
        ("beds", " groesse", None),
        ("address", "street + house_number", ("street", "house_number")),
        ("address", "street+House Number", ("street", "house_number")),
        ("address", "A + B", ("A + B",)),
        ("address", "A + B + street", ("A + B", "street")),
        ("address", "B + A", ("B", "A")),
        ("external_id", "A+ 12", ("A", "12")),
        ("attributes.House_No", "house_number", ("house_number",)),
        ("attributes.both", "A + street", ("A", "street")),
        ("location", "A", ("A",)),
    ],
)
def test_a_field_is_read_from_the_columns_that_are_given(
    field: str, column: str, expected: tuple[str, ...] | None
) -> None:
    if expected is None:
        with pytest.raises(ColumnError, match="has no column 'groesse'"):
            mapped({field: column})
    else:
        assert mapped({field: column})[field] == expected


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"bedz": "A"}, r"--map names the unknown field 'bedz'; fields are .*beds.*latitude.*attributes.NAME"),
        ({"beds": "Betten"}, r"has no column 'Betten' for --map; its columns are 'Klinik', 'street'"),
        ({"beds": "3"}, r"has no column '3' for --map; if the first line is a hospital already: --no-header; its"),
        ({"address": "street + hose"}, r"has no column 'hose' for --map"),
        ({"attributes.1st": "A"}, r"--map names the attribute '1st'; use at most 64 letters"),
        ({"attributes.": "A"}, r"--map names the attribute ''"),
        ({"beds": "A + 12"}, r"--map beds=A \+ 12 names 2 columns; beds is read from one"),
        ({"address": "A + A"}, r"names a column twice"),
        ({"city": "A", "state": "A"}, r"--map uses the column 'A' for city and for state"),
        ({"hospital_name": ""}, r"--map hospital_name= leaves out the hospital's name"),
        ({"source": "A"}, r"--source and --map source=COLUMN contradict each other"),
    ],
)
def test_the_error_for_an_invalid_mapping_says_what_is_wrong(mapping: dict[str, str], problem: str) -> None:
    with pytest.raises(ColumnError, match=problem):
        mapped(mapping)


def test_a_column_that_several_names_resemble_must_be_written_exactly() -> None:
    columns, rows = ["name", "Phone 1", "phone-1"], [["A Clinic", "5550101", "5550102"]]
    with pytest.raises(ColumnError, match="has several columns like 'phone1' for --map: 'Phone 1', 'phone-1'"):
        choose(columns, rows, ColumnWishes(mapping={"phone": "phone1"}))
    assert fields(choose(columns, rows, ColumnWishes(mapping={"phone": "phone-1"})))["phone"] == "phone-1"


def test_a_field_is_left_out_if_its_column_is_empty() -> None:
    chosen = choose(
        ["name", "lat", "lon", "phone"],
        [["A Clinic", "N 51.1", "W 0.6", "5550101"]],
        ColumnWishes(mapping={"latitude": "", "longitude": "", "phone": " "}),
    )
    assert (fields(chosen), chosen.left_out, chosen.notes) == (
        {"hospital_name": "name"},
        ("lat", "lon", "phone"),
        (),
    )


def test_a_given_column_is_not_used_for_another_field() -> None:
    chosen = choose(["name", "town"], [["A Clinic", "Aveda"]], ColumnWishes(mapping={"county": "town"}))
    assert fields(chosen) == {"hospital_name": "name", "county": "town"}


def test_a_given_location_replaces_the_coordinates() -> None:
    columns, rows = ["name", "lat", "lon", "where"], [["A Clinic", "1.5", "2.5", "1.5, 2.5"]]
    chosen = choose(columns, rows, ColumnWishes(mapping={"location": "where"}))
    assert fields(chosen) == {"hospital_name": "name", "location": "where"}


def test_columns_without_a_header_are_given_by_number() -> None:
    rows = [["G6V2", "NORTH RIVER CLINIC"], ["R0A", "SOUTH RIVER CLINIC"]]
    chosen = choose(
        ["1", "2"], rows, ColumnWishes(source="ods", mapping={"hospital_name": "2", "external_id": "1"})
    )
    assert fields(chosen) == {"hospital_name": "2", "external_id": "1"}


PROFILE = {"hospital_name": ("name",), "city": ("place",), "address": ("street", "no"), "attributes.x": ("X",)}


def test_a_profile_decides_all_columns() -> None:
    chosen = choose(
        ["name", "place", "street", "no", "X", "beds"],
        [["A Clinic", "Aveda", "Hill", "2", "y", "12"]],
        ColumnWishes(profile=PROFILE),
    )
    assert {it.field: it.columns for it in chosen.mapped} == PROFILE
    assert {it.why for it in chosen.mapped} == {"profile"}
    assert chosen.left_out == ("beds",)


def test_a_mapping_takes_precedence_over_a_profile() -> None:
    chosen = choose(
        ["name", "place", "town"],
        [["A Clinic", "Aveda", "Brusk"]],
        ColumnWishes(profile={"hospital_name": ("name",), "city": ("place",)}, mapping={"city": "town"}),
    )
    assert [it for it in chosen.mapped if it.field == "city"] == [Mapped("city", ("town",), "given")]


def test_a_column_of_the_profile_that_is_missing_is_named() -> None:
    chosen = choose(["name", "street"], [["A Clinic", "Hill"]], ColumnWishes(profile=PROFILE))
    assert fields(chosen) == {"hospital_name": "name"}
    assert chosen.notes == (
        "city: the column 'place' of the profile is missing, so the field is left out",
        "address: the column 'no' of the profile is missing, so the field is left out",
        "attributes.x: the column 'X' of the profile is missing, so the field is left out",
    )
    with pytest.raises(ColumnError, match="has no column 'name', which the profile reads hospital_name from"):
        choose(["naam"], [["A Clinic"]], ColumnWishes(profile=PROFILE))
