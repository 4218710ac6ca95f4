import tomllib
from pathlib import Path
from typing import Any

import pytest

from producers.files.columns import ColumnWishes, choose_columns, role_in_key
from producers.files.columns.names import CODE_COST, fields_by_name, identifier_cost, is_serial


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))


LISTS = _data("published_headers.toml") | _data("headers_by_language.toml")
NAMES = _data("names.toml")


@pytest.mark.parametrize("country", LISTS)
def test_the_columns_of_published_lists_are_recognised_by_name(country: str) -> None:
    columns = choose_columns(LISTS[country]["header"].split("|"), {}, ColumnWishes())
    assert {mapped.field: mapped.columns[0] for mapped in columns.mapped} == dict(
        pair.split("=", 1) for pair in LISTS[country]["fields"].split("|")
    )
    assert {mapped.why for mapped in columns.mapped} == {"name"}


@pytest.mark.parametrize("country", LISTS)
def test_the_identifier_of_published_lists_is_recognised_by_name(country: str) -> None:
    names = LISTS[country]["header"].split("|")
    costs = {name: cost for name in names if (cost := identifier_cost(name)) is not None}
    assert min(costs, key=lambda name: costs[name], default=None) == LISTS[country].get("identifier")


@pytest.mark.parametrize("name", NAMES["hospital_name"])
def test_the_hospitals_name_is_recognised_however_it_is_written(name: str) -> None:
    assert fields_by_name(name)["hospital_name"].cost < 20


@pytest.mark.parametrize(("name", "field"), NAMES["fields"])
def test_other_fields_are_recognised_with_the_words_around_them(name: str, field: str) -> None:
    matches = fields_by_name(name)
    assert min(matches, key=lambda found: matches[found]) == field


@pytest.mark.parametrize("name", NAMES["no_field"])
def test_columns_about_something_else_are_no_field(name: str) -> None:
    assert fields_by_name(name) == {}


@pytest.mark.parametrize(("name", "field"), NAMES["codes"])
def test_codes_of_places_are_worse_than_their_names(name: str, field: str) -> None:
    match = fields_by_name(name)[field]
    assert match.code
    assert match.cost >= CODE_COST + 10


@pytest.mark.parametrize("name", NAMES["identifiers"])
def test_identifiers_are_recognised_by_name(name: str) -> None:
    assert identifier_cost(name) is not None
    assert role_in_key(name) == "identifier"


@pytest.mark.parametrize("name", NAMES["licences"])
def test_the_number_of_a_licence_is_an_identifier_in_any_language(name: str) -> None:
    assert (identifier_cost(name) or 99) < 20


@pytest.mark.parametrize("name", NAMES["no_identifiers"])
def test_other_numbers_and_codes_are_no_identifiers(name: str) -> None:
    assert identifier_cost(name) is None


@pytest.mark.parametrize("name", NAMES["serials"])
def test_running_numbers_are_recognised_by_name(name: str) -> None:
    assert is_serial(name)


def test_no_name_means_two_fields_equally_well_except_areas() -> None:
    # Of two areas the larger is the state, whatever a country calls it.
    unclear = {
        tuple(sorted(matches))
        for country in LISTS.values()
        for name in country["header"].split("|")
        if len(matches := fields_by_name(name)) > 1 and len(set(matches.values())) == 1
    }
    # A postal code and a town may be in one column.
    assert unclear <= {("county", "state"), ("city", "county"), ("city", "postal_code")}
