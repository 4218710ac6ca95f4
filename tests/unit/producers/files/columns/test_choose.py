import re
from collections.abc import Sequence

import pytest

from producers.files.columns import ColumnError, ColumnWishes, Mapped
from tests.support.tables import choose, fields

NAMES = ["North Hospital", "South Clinic", "West Hospital", "East Hospital"]


def table(**columns: Sequence[object]) -> tuple[list[str], list[Sequence[object]]]:
    """Return names and rows of a table; the hospitals' names are added if there is no such column."""
    length = len(next(iter(columns.values())))
    all_columns = columns if "name" in columns else {"name": NAMES[:length], **columns}
    return list(all_columns), list(zip(*all_columns.values(), strict=True))


@pytest.mark.parametrize(
    ("column", "cells", "note"),
    [
        ("address", [{"street": "Hill"}, {"street": "Oak"}, "x"], "address is a JSON object or list in most rows"),
        ("phone", ["see website", "ask the ward", "none known"], "phone is text in every row (first: see website)"),
        ("state", ["yes", "no", "yes"], "state is yes or no in every row (first: yes)"),
        ("state", ["Open", "Closed", "Open"], "state says whether a hospital is open in every row (first: Open)"),
        ("estado", ["ACTIVO", "ACTIVO", "BAJA"], "estado says whether a hospital is open in every row"),
        ("state", ["27", "28", "29"], "state is a number in every row (first: 27)"),
        ("city", ["a@b.org", "c@d.org", "e@f.org"], "city is an e-mail address in every row"),
        ("address", ["https://a.org/1", "https://a.org/2", "x"], "address is a web address in most rows"),
        ("beds", ["many", "few", "some"], "beds is not a number in every row (first: many)"),
        ("lat", ["5321000.5", "5321000.7", "5321001.2"], "lat is not in degrees from -90 to 90 in every row"),
        ("emergency", ["ward 1", "ward 2", "N1"], "emergency is not yes or no in every row (first: ward 1)"),
        ("zip", ["north", "south", "west"], "zip is not a postal code in every row (first: north)"),
        ("CAP", ["20", "60", "8"], "CAP is too short for a postal code in every row (first: 20)"),
        ("updated_at", ["spring", "autumn", "winter"], "updated_at is not a date in every row"),
        ("updated_at", ["2019", "2020", "2021"], "updated_at is not a date in every row"),
        (
            "hospital_type",
            ["Acute", "Psychiatric", "Acute"],
            "hospital_type is neither single nor multi speciality",
        ),
        (
            "SOURCE",
            ["http://a.org", "http://a.org", "State Dept."],
            "SOURCE contains no names of sources such as cms",
        ),
        ("source:name", ["osm", "", ""], "source:name is empty in most rows"),
    ],
)
def test_a_column_whose_content_contradicts_its_name_is_left_out_with_a_note(
    column: str, cells: Sequence[object], note: str
) -> None:
    columns = choose(*table(**{column: cells}))
    assert column in columns.left_out
    assert any(shown.startswith(note) for shown in columns.notes), columns.notes


@pytest.mark.parametrize(
    ("column", "cells", "field"),
    [
        ("phone", ["0", "0", "02-555 0101 ext. 3"], "phone"),
        ("state", ["CO", "CO", "CO"], "state"),
        ("country", ["NO", "NO", "NO"], "country"),
        ("State Code", ["TX", "CA", "NY"], "state"),
        ("beds", ["120 beds", "ca. 50", "-"], "beds"),
        ("beds", [120, 50.0, None], "beds"),
        ("emergency", ["SI", "NO", "Sí"], "emergency_services"),
        ("emergency", ["○", "\u00d7", "○"], "emergency_services"),
        ("emergency", [True, False, None], "emergency_services"),
        ("zip", ["AA1 1AA", "BB2 2BB", "CC3 3CC"], "postal_code"),
        ("updated_at", ["2024-03-01 12:00:00", "2024-03-02", "03/04/2024"], "observed_at"),
        ("updated_at", ["27th April, 2021", "1 mars 2021", "20210427"], "observed_at"),
        ("type", ["single", "Multi Speciality", "multi"], "hospital_type"),
        ("SOURCE", ["moh", "osm", "moh"], "source"),
        ("location", ["11.6, 92.7", "11.8, 92.6", ""], "location"),
        ("GPS", ["50.0701N, 14.4301E", "N 50.0702, E 14.4302", "14.4303E 50.0703N"], "location"),
        ("GPS", ["Lat: 50.07 Lon: 14.43", "50 04 01.5 14 25 01.3", "北緯50.07 東経14.43"], "location"),
        ("编制床位数", ["57张", "64张", "71张"], "beds"),
        ("location", ["Near the lake", "Main Street", "Hill"], "address"),
        ("geom", ["POINT (92.7 11.6)", "POINT(92.6 11.8)", ""], "location"),
        ("location", [{"type": "Point", "coordinates": [1.0, 2.0]}, None, None], "location"),
        ("location", [{"lat": 1.5, "lng": 2.5}, None, None], "location"),
        ("attributes", [{"floors": 3}, None, {}], "attributes"),
        ("Town", ["0", "0", "Aveda"], "city"),
        ("Georeference", ["Town (11.6, 92.7)", "Town (11.8, 92.6)", "0"], "location"),
    ],
)
def test_a_column_is_taken_if_its_content_suits_its_name(column: str, cells: Sequence[object], field: str) -> None:
    columns = choose(*table(**{column: cells}))
    assert fields(columns)[field] == column


def test_a_name_column_of_numbers_is_refused_and_another_is_proposed() -> None:
    rows = [["Aveda", "48319756", "Oak Clinic"], ["Brusk", "26456575", "Elm Hospital"]]
    with pytest.raises(ColumnError) as caught:
        choose(["State", "Facility Name", "Ownership"], rows)
    assert str(caught.value) == (
        "has no column for the hospital's name: hospital_name is a number in every row (first: 48319756), so "
        "'Facility Name' is not used; Ownership looks like the name: --map hospital_name=Ownership; "
        "its columns are 'State', 'Facility Name', 'Ownership'"
    )


def test_a_given_name_column_of_numbers_is_used_with_a_note() -> None:
    columns = choose(*table(name=["48319756", "26456575"]), ColumnWishes(mapping={"hospital_name": "name"}))
    assert columns.mapped == (Mapped("hospital_name", ("name",), "given"),)
    assert columns.notes == (
        "hospital_name is a number in every row (first: 48319756); it is read from name as given",
    )


@pytest.mark.parametrize(
    ("columns", "proposal"),
    [
        (["a", "X Y", "c"], '; X Y looks like the name: --map hospital_name="X Y"; its columns are'),
        (["a", "b'c", "d"], "; b'c looks like the name: --map hospital_name=\"b'c\"; its columns are"),
        (
            ["1", "2", "3"],
            "; 2 looks like the name: --map hospital_name=2; its columns are 1 (G6V2), 2 (RIVER CLINIC)",
        ),
    ],
)
def test_a_column_that_looks_like_names_is_proposed(columns: Sequence[str], proposal: str) -> None:
    rows = [
        ["G6V2", "RIVER CLINIC", "North Trust"],
        ["R0A", "OAK HOSPITAL", "NHS"],
        ["R0B", "ELM CLINIC", "North Trust"],
    ]
    with pytest.raises(ColumnError) as caught:
        choose(columns, rows)
    assert proposal in str(caught.value)


def test_the_only_column_of_names_of_hospitals_is_used_whatever_it_is_called() -> None:
    rows = [
        ["G6V2", "NORTH RIVER CLINIC", "COB HOUSE"],
        ["R0A", "SOUTH HOSPITAL", "1 ROAD"],
        ["R0B", "EAST TRUST", ""],
    ]
    chosen = choose(["1", "2", "3"], rows)
    assert chosen.mapped == (Mapped("local_id", ("1",), "content"), Mapped("hospital_name", ("2",), "content"))
    assert chosen.notes[0] == (
        "2 contains names of hospitals and is used as hospital_name; "
        "to use another column: --map hospital_name=COLUMN"
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["General Hospital", "Clinic", "General Hospital", "Clinic", "Clinic"],
        ["Hospital Road 1", "Main Street 2", "Oak Lane 3", "Hill 4", "Clinic Lane 5"],
        ["Dr A", "Dr B", "Dr C", "Dr D", "Dr E"],
    ],
)
def test_kinds_of_hospitals_addresses_and_people_are_not_their_names(cells: Sequence[str]) -> None:
    with pytest.raises(ColumnError, match="has no column for the hospital's name"):
        choose(["town", "x1"], [["Aveda", cell] for cell in cells])


def test_without_anything_like_names_the_message_asks_for_a_column() -> None:
    with pytest.raises(ColumnError, match='choose it with --map hospital_name="COLUMN"; its columns are'):
        choose(["town", "beds"], [["Aveda", "12"]])


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        (["name", "Facility Name"], [["A Clinic", "B Clinic"]], "Facility Name"),
        (
            ["Facility Name", "name"],
            [["A Clinic", ""], ["", "C Clinic"], ["", "D Clinic"], ["", "E Clinic"]],
            "name",
        ),
        (
            ["Name of institution", "Name of unit"],
            [["IMSS", f"Clinic {n}"] for n in range(9)],
            "Name of unit",
        ),
        (["name_en", "name"], [["A Clinic", "Клиника"]], "name"),
        (["rslongue", "rs"], [["", "CH A"], ["", "CH B"], ["CENTRE HOSPITALIER C", "CH C"]], "rs"),
    ],
)
def test_of_two_columns_for_one_field_the_fuller_and_more_specific_is_taken(
    columns: Sequence[str], rows: Sequence[Sequence[str]], expected: str
) -> None:
    chosen = choose(columns, rows)
    assert fields(chosen)["hospital_name"] == expected
    assert set(chosen.left_out) == set(columns) - {expected}


@pytest.mark.parametrize(
    ("larger", "smaller"), [("Provincia", "Departamento"), ("Departamento", "Provincia"), ("Regione", "Provincia")]
)
def test_the_larger_of_two_areas_is_the_state(larger: str, smaller: str) -> None:
    rows = [[f"Clinic {n}", f"{'AB'[n % 2]}", f"{'ab'[n % 2]}{n % 4}"] for n in range(8)]
    for order in ((1, 2), (2, 1)):
        names = ["name", *([larger, smaller] if order == (1, 2) else [smaller, larger])]
        chosen = choose(names, [[row[0], row[order[0]], row[order[1]]] for row in rows])
        assert (fields(chosen)["state"], fields(chosen)["county"]) == (larger, smaller)


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        (
            ["latitude", "beds"],
            "latitude has no longitude beside it, so it is left out; say --map longitude=COLUMN",
        ),
        (["lon", "beds"], "lon has no latitude beside it, so it is left out; say --map latitude=COLUMN"),
    ],
)
def test_one_coordinate_alone_is_left_out_with_a_note(columns: list[str], kept: str) -> None:
    chosen = choose(["name", *columns], [["North Hospital", "41.8", "120"]])
    assert set(fields(chosen)) == {"hospital_name", "beds"}
    assert chosen.notes == (kept,)


def test_a_latitude_and_a_longitude_that_are_exchanged_are_left_out_with_the_options_that_read_them() -> None:
    rows = [[f"Clinic {n}", f"-98.{n}92", f"29.{n}23"] for n in range(4)]
    chosen = choose(["name", "latitude", "longitude"], rows)
    assert set(fields(chosen)) == {"hospital_name"}
    assert chosen.notes[0] == (
        "latitude and longitude seem to be exchanged, and are left out; to exchange them: "
        "--map latitude=longitude --map longitude=latitude"
    )
    # A longitude beyond 90 degrees cannot be the latitude.
    apart = choose(["name", "latitude", "longitude"], [[name, far, f"1{near}"] for name, far, near in rows])
    assert apart.notes[0].startswith("longitude has no latitude beside it")


def test_the_column_that_may_be_the_other_coordinate_is_named() -> None:
    chosen = choose(
        ["name", "latitude", "longtitude"], [["A Clinic", "41.8", "140.7"], ["B Clinic", "41.9", "140.8"]]
    )
    assert chosen.notes[0].endswith("say --map longitude=COLUMN (longtitude looks like it)")
    given = choose(
        ["name", "latitude", "longtitude"],
        [["A Clinic", "41.8", "140.7"]],
        ColumnWishes(mapping={"longitude": "longtitude"}),
    )
    assert (fields(given)["latitude"], fields(given)["longitude"]) == ("latitude", "longtitude")


def test_two_coordinates_are_preferred_to_one_column_of_both_unless_they_are_emptier() -> None:
    columns = ["name", "lat", "lon", "geo_point"]
    full = [
        ["A Clinic", "1.5", "2.5", "1.5, 2.5"],
        ["B Clinic", "1.6", "2.6", "1.6, 2.6"],
        ["C Clinic", "1", "2", ""],
    ]
    assert set(fields(choose(columns, full))) == {"hospital_name", "latitude", "longitude"}
    empty = [
        ["A Clinic", "", "", "1.5, 2.5"],
        ["B Clinic", "", "", "1.6, 2.6"],
        ["C Clinic", "1.5", "2.5", "1.5, 2.5"],
    ]
    assert set(fields(choose(columns, empty))) == {"hospital_name", "location"}


def test_coordinates_in_one_cell_are_found_by_content() -> None:
    chosen = choose(["name", "where"], [["A Clinic", "11.6357, 92.7120"], ["B Clinic", "(11.8311, 92.6586)"]])
    assert Mapped("location", ("where",), "content") in chosen.mapped
    assert chosen.notes == (
        "where contains both coordinates and is used as location; to leave it out: --map location=",
    )
    left_out = choose(["name", "where"], [["A Clinic", "11.6, 92.7"]], ColumnWishes(mapping={"location": ""}))
    assert left_out.left_out == ("where",)


def test_an_empty_column_is_no_field() -> None:
    chosen = choose(["name", "phone", "beds"], [["A Clinic", "NOT AVAILABLE", ""], ["B Clinic", "N/A", "-"]])
    assert fields(chosen) == {"hospital_name": "name"}
    assert chosen.left_out == ("phone", "beds")


def test_a_given_source_takes_precedence_over_a_column() -> None:
    chosen = choose(*table(source=["moh", "osm"]), ColumnWishes(source="cms"))
    assert chosen.left_out == ("source",)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["Address1", "Address2", "Address3", "City"], "Address1+Address2+Address3"),
        (["AddressLine2", "City", "AddressLine1"], "AddressLine1+AddressLine2"),
        (["address", "address2", "address4"], "address+address2"),
        (["Address 2", "Address 3"], "Address 2"),
        (["street", "address2"], "street"),
    ],
)
def test_an_address_in_numbered_columns_is_joined(columns: Sequence[str], expected: str) -> None:
    chosen = choose(["name", *columns], [["A Clinic", *(f"Part {column}" for column in columns)]])
    assert fields(chosen).get("address", expected if "Address 2" in columns else "") == expected
    assert any(note.startswith("address is joined from") for note in chosen.notes) == ("+" in expected)


STREETS = ["Hill Road", "Av. Mitre", "Oak Lane"]


@pytest.mark.parametrize(
    ("columns", "streets", "numbers", "expected"),
    [
        (["calle", "x", "altura"], STREETS, ["12", "3400", "s/n"], "calle+altura"),
        (["Street", "Building_number"], STREETS, ["12", "7 b", "9"], "Street+Building_number"),
        (["Hausnr.", "Straße"], STREETS, ["12", "7", "9"], "Hausnr.+Straße"),
        (["Straße", "Nr."], STREETS, ["12", "7", "9"], "Straße+Nr."),
        (["numéro de voie", "voie"], STREETS, ["12", "7 bis", "9"], "numéro de voie+voie"),
        # Not beside the street, streets that have their numbers, and cells that are no house numbers.
        (["Straße", "x", "Nr."], STREETS, ["12", "7", "9"], "Straße"),
        (["calle", "altura"], ["Hill 1", "Oak 2", "Elm"], ["12", "7", "9"], "calle"),
        (["calle", "altura"], STREETS, ["upper floor", "low", "9"], "calle"),
        (["calle", "altura"], STREETS, ["7004-4421-17-A", "1", "9"], "calle"),
    ],
)
def test_a_house_number_in_a_column_of_its_own_is_joined_to_the_street(
    columns: Sequence[str], streets: Sequence[str], numbers: Sequence[str], expected: str
) -> None:
    is_street = ("calle", "Street", "Straße", "voie")
    rows = [
        [f"{name} Clinic", *(street if it in is_street else "same" if it == "x" else number for it in columns)]
        for name, street, number in zip("ABC", streets, numbers, strict=True)
    ]
    chosen = choose(["name", *columns], rows)
    assert fields(chosen)["address"] == expected
    assert any(note.startswith("address is joined from") for note in chosen.notes) == ("+" in expected)


def test_an_identifier_beside_the_street_is_no_house_number() -> None:
    rows = [[f"Clinic {n}", f"{'ABCDEFGHIJ'[n % 10]} Road", str(1_000 + n)] for n in range(60)]
    assert fields(choose(["name", "street", "number"], rows))["address"] == "street"


def test_long_remarks_among_house_numbers_do_not_cost_the_others() -> None:
    rows = [[f"Clinic {n}", "Hill Road", "27 below the church" if n == 7 else str(n % 20)] for n in range(60)]
    assert fields(choose(["name", "street", "house_number"], rows))["address"] == "street+house_number"


def test_a_name_column_with_gaps_is_not_taken_if_a_fuller_one_is_nearly_as_well_named() -> None:
    rows = [["" if n % 5 == 0 else f"Centre hospitalier {n}", f"CH {n}"] for n in range(40)]
    assert fields(choose(["rslongue", "rs"], rows))["hospital_name"] == "rs"
    # A title is not as good a name, even where the name is missing.
    assert fields(choose(["name", "title"], rows))["hospital_name"] == "name"


def test_departments_that_differ_more_are_not_the_names_of_their_hospitals() -> None:
    rows = [[f"Clinic {n // 3}", f"Department {n}"] for n in range(60)]
    assert fields(choose(["hospital_name", "site_name"], rows))["hospital_name"] == "hospital_name"
    # But a few words for kinds are not names.
    rows = [["Hospital" if n % 2 else "RHU", f"Oak {n}"] for n in range(60)]
    assert fields(choose(["RHU / Hospital", "name"], rows))["hospital_name"] == "name"


def test_the_code_of_an_area_whose_name_is_read_is_no_other_area() -> None:
    columns = ["Nombre Sede", "Código Municipio", "Nombre Municipio"]
    chosen = choose(columns, [["Clinic A", "5002", "Abejorral"], ["Clinic B", "5004", "Abriaqui"]])
    assert fields(chosen) == {"hospital_name": "Nombre Sede", "city": "Nombre Municipio"}


def test_an_area_that_is_a_key_of_a_database_is_left_for_its_name() -> None:
    rows = [[f"Clinic {n}", f"9f5beb0d-5987-4dfc-9a0a-29d902f516c{n}", f"Area {n}"] for n in range(4)]
    assert fields(choose(["name", "county", "county_name"], rows))["county"] == "county_name"


def test_half_a_postal_code_is_left_out_with_a_note() -> None:
    rows = [["A Clinic", "085", "11"], ["B Clinic", "135", "02"]]
    chosen = choose(["name", "우편번호1", "우편번호2"], rows)
    assert "postal_code" not in fields(chosen)
    reason = "우편번호1 is only the first of two parts, so it is not used as postal_code"
    assert any(reason in note for note in chosen.notes)
    # Where the second is hardly ever filled, the first is whole.
    alone = choose(["name", "zip 1", "zip 2"], [[f"Clinic {n}", "08511", "1" if n == 0 else ""] for n in range(5)])
    assert fields(alone)["postal_code"] == "zip 1"


def test_a_column_that_is_called_a_name_is_proposed_before_one_of_kinds() -> None:
    rows = [[f"Children's hospital {n}", f"Clinic {n % 9} A"] for n in range(12)]
    with pytest.raises(ColumnError, match="kinds_name looks like the name"):
        choose(["sort", "kinds_name"], [[a, b if n % 3 else "x"] for n, (a, b) in enumerate(rows)])


def test_an_empty_part_of_an_address_is_left_out() -> None:
    chosen = choose(["name", "Address1", "Address2"], [["A Clinic", "Hill Road 1", "N/A"]])
    assert (fields(chosen)["address"], chosen.notes) == ("Address1", ())


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("POSTAL_COD", "postal_code"),
        ("Financiaci", "ownership"),
        ("DIRECCION_", "address"),
        ("EMERGENCY_", "emergency_services"),
    ],
)
def test_names_that_a_shapefile_cut_after_ten_characters_are_recognised(column: str, field: str) -> None:
    chosen = (
        choose(["name", column], [["A Clinic", "1"], ["B Clinic", "0"]])
        if field == "emergency_services"
        else choose(["name", column], [["A Clinic", "Hill Road 12"], ["B Clinic", "Oak 12"]])
    )
    assert fields(chosen)[field] == column


def test_answers_are_no_ownership() -> None:
    """`facility:operating_theatre`, cut to ten characters, could be `facility owner`."""
    rows = [[f"Clinic {n}", ("yes", "no")[n % 2], ("private", "government")[n % 2]] for n in range(6)]
    chosen = choose(["name", "facility_o", "operator_t"], rows)
    assert fields(chosen)["ownership"] == "operator_t"
    assert "ownership" not in fields(choose(["name", "ownership"], [row[:2] for row in rows]))


def test_a_weak_name_of_a_column_with_few_values_is_not_taken() -> None:
    rows = [[f"Clinic {n}", ("Urban", "Rural")[n % 2]] for n in range(40)]
    chosen = choose(["name", "Facility Location"], rows)
    assert chosen.left_out == ("Facility Location",)
    assert chosen.notes == (
        "Facility Location is not a pair of coordinates in every row (first: Urban), so it is not used as location",
    )
    with pytest.raises(ColumnError, match="hospital_name has only 2 different values"):
        choose(["Institution", "beds"], [[row[1], "12"] for row in rows])


def test_a_name_that_is_the_same_in_every_row_is_refused_and_proposed() -> None:
    rows = [["Hospital", f"{n}"] for n in range(20)]
    with pytest.raises(ColumnError) as caught:
        choose(["Hospital", "beds"], rows)
    assert "hospital_name is the same in every row" in str(caught.value)
    assert "; if it is the name all the same: --map hospital_name=Hospital; its columns are" in str(caught.value)
    given = choose(["Hospital", "beds"], rows, ColumnWishes(mapping={"hospital_name": "Hospital"}))
    assert fields(given)["hospital_name"] == "Hospital"


def test_a_few_letters_are_names_rather_than_answers() -> None:
    assert fields(choose(*table(City=["X", "Y"])))["city"] == "City"
    # Letters that repeat are answers.
    assert "state" not in fields(choose(*table(state=["Y", "N", "Y", "N", "Y", "Y"], name=[*"ABCDEF"])))


def test_of_two_columns_of_hospitals_the_one_that_is_called_a_name_is_used() -> None:
    rows = [[f"{n} Valley Trust", f"Oak Clinic {n}"] for n in range(5)]
    chosen = choose(["operated", "XY_NAME"], rows)
    assert fields(chosen) == {"hospital_name": "XY_NAME"}
    twice = choose(["XX_NAME", "XY_NAME"], [[row[1], row[1]] for row in rows])
    assert fields(twice) == {"hospital_name": "XX_NAME"}


def test_a_list_whose_header_is_a_hospital_is_not_read_as_if_it_had_a_header() -> None:
    with pytest.raises(ColumnError) as caught:
        choose(["G6V2", "Oak Clinic"], [["R0A", "Elm Clinic"], ["R0B", "Ash Hospital"]])
    assert str(caught.value).startswith(
        "has no column for the hospital's name; if the first line is a hospital already: --no-header "
        '--map hospital_name=2; if it is the header: --map hospital_name="Oak Clinic"; its columns are'
    )


@pytest.mark.parametrize("answers", [("Var", "Yok"), ("есть", "нет"), ("يوجد", "لا يوجد"), ("Tak", "Nie")])
def test_answers_of_any_language_are_yes_and_no(answers: tuple[str, str]) -> None:
    rows = [(f"Clinic {number}", answers[number % 2]) for number in range(6)]
    assert fields(choose(["name", "emergency"], rows)) == {
        "hospital_name": "name",
        "emergency_services": "emergency",
    }


def test_a_file_without_names_of_columns_is_refused_with_the_option_for_titles() -> None:
    with pytest.raises(ColumnError, match="if the columns are named in a later line: --skip-rows N"):
        choose(["List, 2024", "column 2"], [["bed", "x"], ["1", "2"]])


@pytest.mark.parametrize("column", ["SERVICIOS_", "servicio_d"])
def test_a_name_that_was_cut_before_it_said_anything_is_no_field(column: str) -> None:
    chosen = choose(["name", column], [["A Clinic", "SI"], ["B Clinic", "NO"]])
    assert "emergency_services" not in fields(chosen)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["kml_1", "kml_2", "kml_3"], "is a word with a running number in every row (first: kml_1)"),
        (["<table><tr><td>A", "<TD>B", "<tr>C"], "is a table in every row (first: <table><tr><td>A)"),
    ],
)
def test_what_a_converter_writes_is_no_name_of_a_hospital(cells: list[str], problem: str) -> None:
    with pytest.raises(ColumnError, match=re.escape(problem)):
        choose(["Name", "City"], [[cell, "Aveda"] for cell in cells])
    chosen = choose(["Name", "HCI_NAME"], [[cell, f"Oak {cell[-1]}"] for cell in cells])
    assert fields(chosen)["hospital_name"] == "HCI_NAME"
