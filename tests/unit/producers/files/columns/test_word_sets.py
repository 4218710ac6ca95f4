"""Names of columns that are put together of words of one kind."""

import pytest

from producers.files.columns.names import fields_by_name, identifier_cost


def best(column: str) -> str | None:
    fields = fields_by_name(column)
    return min(fields, key=lambda field: fields[field]) if fields else None


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("beds", ("capacidad_camas", "CapacidadCamas", "camas_capacidad", "capacidade_leitos", "kapacita_lůžek")),
        (
            "beds",
            ("bed_cap", "numero_camas_total", "Kapazität Betten", "TotalLicensedBeds", "beds_installed_capacity"),
        ),
        ("latitude", ("y_gis", "gis_y", "Y_GPS", "lat_gis", "gps_latitud", "lat_map", "y_epsg_4326", "LatDec")),
        ("longitude", ("x_gis", "GIS_X", "x_gps", "lon_gis", "map_lng", "x_wgs_84", "LonDec")),
        ("state", ("StateAbbr", "state_abbrev", "STATE_ABBREVIATION", "Abbr State", "stateabbr", "ProvinceAbbr")),
        ("state", ("state_short", "Sigla Estado")),
        ("country", ("CountryAbbr", "country_short")),
    ],
)
def test_compound_names_are_known(field: str, names: tuple[str, ...]) -> None:
    assert {name: best(name) for name in names} == dict.fromkeys(names, field)


@pytest.mark.parametrize(
    "name",
    [
        "icu_bed_capacity",
        "camas_uci",
        "total_capacity_staff",
        "x_ray",
        "xray_gps",
        "map_url",
        "gps",
        "x_y_gis",
        "bed_bath",
    ],
)
def test_a_word_that_is_not_known_may_mean_something_else(name: str) -> None:
    assert best(name) not in ("beds", "latitude", "longitude")


@pytest.mark.parametrize("name", ["short_name", "NameAbbr", "hospital_abbr"])
def test_the_short_name_of_a_hospital_is_no_identifier(name: str) -> None:
    assert identifier_cost(name) is None
