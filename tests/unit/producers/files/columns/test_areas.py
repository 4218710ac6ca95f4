import pytest

from tests.support.tables import choose, fields

PLACES = ("city", "county", "state")


@pytest.mark.parametrize(
    ("header", "city", "county", "state"),
    [
        ("Nome|Distrito|Concelho", "Concelho", None, "Distrito"),
        ("Nome|Concelho|Distrito|Localidade", "Localidade", "Concelho", "Distrito"),
        ("Nome|Distrito|Município|Freguesia", "Município", None, "Distrito"),
        ("Nome|Concelho", "Concelho", None, None),
        ("Nome|Município|Distrito", "Município", "Distrito", None),
        ("Nome|Município|Bairro|UF", "Município", None, "UF"),
        ("Nombre|Distrito|Provincia|Departamento", "Distrito", "Provincia", "Departamento"),
        ("Nombre|Departamento|Provincia|Distrito", "Distrito", "Provincia", "Departamento"),
        ("Nombre|Distrito|Cantón|Provincia", "Distrito", "Cantón", "Provincia"),
        ("Nombre|Municipio|Departamento", "Municipio", None, "Departamento"),
        ("Nome|Comune|Provincia|Regione", "Comune", "Provincia", "Regione"),
        ("Ad|İlçe|İl", None, "İlçe", "İl"),
        ("Nama|Kecamatan|Kabupaten|Provinsi", "Kecamatan", "Kabupaten", "Provinsi"),
        ("Име|Община|Област", "Община", None, "Област"),
        ("Име|Населено място|Община|Област", "Населено място", "Община", "Област"),
        ("Назив|Општина|Округ", "Општина", None, "Округ"),
        ("Nazwa|Powiat|Województwo|Miejscowość", "Miejscowość", "Powiat", "Województwo"),
        ("Ime|Kraj|Regija", "Kraj", None, "Regija"),
        ("Název|Kraj|Okres|Obec", "Obec", "Okres", "Kraj"),
        ("Naam|Gemeente|Woonplaats|Provincie", "Woonplaats", None, "Provincie"),
        ("Name|Suburb|City", "City", None, None),
        ("Name|Suburb|State", "Suburb", None, "State"),
        ("Name|Ward|LGA|State|Zone", "Ward", "LGA", "State"),
        ("Name|Parish", None, "Parish", None),
        ("Name|County|Sub_County|Division|Location|Constituen|Nearest_To", "Nearest_To", "County", None),
        ("Name|District|Division|Upazila", "Upazila", "District", "Division"),
        ("Name|Division|District", None, "District", "Division"),
    ],
)
def test_what_stands_beside_an_area_says_how_large_it_is(
    header: str, city: str | None, county: str | None, state: str | None
) -> None:
    columns = header.split("|")
    rows = [[f"{column} {'ABCDE'[number]}" for column in columns] for number in range(5)]
    chosen = fields(choose(columns, rows))
    assert tuple(chosen.get(place) for place in PLACES) == (city, county, state)


def test_a_region_called_centre_is_no_hospital() -> None:
    rows = [[f"CSPS {number}", "Centre"] for number in range(6)]
    assert fields(choose(["Formation sanitaire", "Région"], rows))["state"] == "Région"
    rows = [[f"CSPS {number}", "Centre de Santé"] for number in range(6)]
    assert "state" not in fields(choose(["Formation sanitaire", "Région"], rows))
