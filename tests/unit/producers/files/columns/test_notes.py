"""What is said of columns that are not read although their name promises a field."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from tests.support.tables import choose, fields


def notes_on(
    column: str, cells: Sequence[object], wishes: ColumnWishes | None = None, **more: object
) -> tuple[str, ...]:
    rows = [[f"Clinic {number}", cell, *more.values()] for number, cell in enumerate(cells)]
    return choose(["name", column, *more], rows, wishes).notes


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (
            ["http://a.org", "http://a.org", "County Office"],
            (
                "SOURCE contains no names of sources such as cms (first: http://a.org), "
                "so it is not used as the source"
            ),
        ),
        (["osm", "moh", "osm"], "SOURCE names sources (first: osm), but is not used because --source is given"),
        (["moh", "moh", "moh"], None),
        (["", "", ""], None),
    ],
)
def test_a_source_column_is_mentioned_unless_it_agrees_with_the_source_given(
    cells: Sequence[str], note: str | None
) -> None:
    notes = notes_on("SOURCE", cells, ColumnWishes(source="moh"))
    assert [text for text in notes if text.startswith("SOURCE")] == ([] if note is None else [note])


def test_a_source_column_that_is_left_out_on_purpose_is_not_mentioned() -> None:
    wishes = ColumnWishes(source="moh", mapping={"source": ""})
    assert not any(note.startswith("SOURCE") for note in notes_on("SOURCE", ["a b", "c d"], wishes))
    wishes = ColumnWishes(source="moh", mapping={"attributes.list": "SOURCE"})
    assert not any(note.startswith("SOURCE") for note in notes_on("SOURCE", ["a b", "c d"], wishes))


@pytest.mark.parametrize(
    ("column", "cells", "note"),
    [
        ("phone", ["NOT AVAILABLE", "N/A", "-"], "phone is not known in any row (first: NOT AVAILABLE)"),
        ("beds", [None, "-999", "-999"], "beds is not known in any row (first: -999)"),
        ("city", ["", "unbekannt", ""], "city is not known in any row (first: unbekannt)"),
        ("phone", ["", "", ""], None),
        ("phone", [None, None, None], None),
        ("phone", ["N/A", "555-0101", "-"], None),
        ("remarks", ["N/A", "N/A", "N/A"], None),
    ],
)
def test_a_column_of_placeholders_alone_is_mentioned(
    column: str, cells: Sequence[object], note: str | None
) -> None:
    expected = () if note is None else (f"{note}, so it is not used as {column}",)
    assert notes_on(column, cells) == expected


def test_a_column_of_placeholders_is_not_mentioned_if_another_has_the_field() -> None:
    rows = [["Clinic A", "N/A", "555-0101"], ["Clinic B", "N/A", "555-0102"]]
    chosen = choose(["name", "phone", "telephone"], rows)
    assert (fields(chosen)["phone"], chosen.notes) == ("telephone", ())


def test_hospitals_are_found_by_content_if_the_column_of_the_name_has_only_placeholders() -> None:
    rows = [["-", "Clinic A"], ["N/A", "Clinic B"], ["-", "Mercy Hospital"]]
    chosen = choose(["name", "c2"], rows)
    assert fields(chosen)["hospital_name"] == "c2"


@pytest.mark.parametrize("wishes", [ColumnWishes(), ColumnWishes(mapping={"location": ""})])
def test_a_position_that_is_not_needed_is_not_reported_as_a_wrong_address(wishes: ColumnWishes) -> None:
    points = [{"type": "Point", "coordinates": [2.5, 48.5]}, {"type": "Point", "coordinates": [3.5, 49.5]}]
    rows = [[f"Clinic {number}", point, "48.5", "2.5"] for number, point in enumerate(points)]
    chosen = choose(["name", "location", "lat", "lon"], rows, wishes)
    assert (chosen.left_out, chosen.notes) == (("location",), ())


@pytest.mark.parametrize(
    ("more", "wishes", "notes"),
    [
        (["eyes", "teeth", "eyes"], ColumnWishes(), 1),
        (["eyes", "teeth", "eyes"], ColumnWishes(source="cms"), 2),
        # Rows that are wholly equal are one hospital.
        (["eyes", "eyes", "eyes"], ColumnWishes(), 0),
    ],
)
def test_names_that_repeat_without_a_place_are_noted(more: list[str], wishes: ColumnWishes, notes: int) -> None:
    rows = [[name, cell] for name, cell in zip(("Oak", "Oak", "Elm"), more, strict=True)]
    found = choose(["name", "speciality of the day"], rows, wishes).notes
    assert len(found) == notes
    if notes:
        source = "" if wishes.source else " --source NAME"
        assert found[-1] == (
            "name repeats in rows that differ, and no column that is read says where a hospital is, so each name "
            f'is taken for one hospital; to tell more apart: --map external_id="name + COLUMN"{source}'
        )
    # Where the place is read, rows that differ in it are kept apart.
    placed = [[name, town] for name, town in zip(("Oak", "Oak", "Elm"), "ABC", strict=True)]
    assert not any("each name" in note for note in choose(["name", "city"], placed, wishes).notes)


def test_names_in_another_language_are_named_with_the_command_that_takes_them() -> None:
    rows = [[f"مستشفى {number}", f"Oak Hospital {number}", "Aveda"] for number in range(5)]
    (note,) = choose(["اسم المنشأة", "Facility Name", "city"], rows).notes
    assert note.startswith("the hospital's name is read from اسم المنشأة; Facility Name may be it as well")
    assert ': --map attributes.other_name="Facility Name" keeps it beside the name' in note
    assert note.endswith('--map hospital_name="Facility Name"')


@pytest.mark.parametrize(
    "others", [["Aveda Trust"] * 5, [""] * 5, [str(number) for number in range(5)], ["Oak Hospital", *[""] * 4]]
)
def test_names_of_something_else_are_not_proposed(others: Sequence[str]) -> None:
    rows = [[f"Oak Hospital {number}", other] for number, other in enumerate(others)]
    assert not any("as well" in note for note in choose(["hospital_name", "name"], rows).notes)


def _yearly(name: str, years: Sequence[str]) -> tuple[str, ...]:
    rows = [[year, str(number), f"Oak {number}", "Aveda"] for year in years for number in range(5)]
    return choose([name, "Facility ID", "name", "city"], rows).notes


def test_several_years_in_one_list_are_noted() -> None:
    assert any(
        note.startswith("Year has 2 years") and "rows of 2022" in note for note in _yearly("Year", ["2021", "2022"])
    )
    assert any(note.startswith("Año has 2 years") for note in _yearly("Año", ["2021", "2022"]))


@pytest.mark.parametrize(
    ("name", "years"), [("Year", ["2021"]), ("Opened", ["2021", "2022"]), ("Year", ["I", "II"])]
)
def test_other_columns_are_no_years_of_the_list(name: str, years: Sequence[str]) -> None:
    assert not any("years, and rows" in note for note in _yearly(name, years))


def test_a_list_without_a_header_shows_what_is_read_by_content_and_what_is_not() -> None:
    rows = [
        [f"R{number}A", f"Oak Hospital {number}", "Y56", "LEEDS", f"LS{number} 0EX", f"0113 200000{number}", ""]
        for number in range(1, 6)
    ]
    chosen = choose([str(number) for number in range(1, 8)], rows)
    assert fields(chosen) == {"hospital_name": "2", "postal_code": "5", "phone": "6", "local_id": "1"}
    assert chosen.notes[-1] == (
        "not read, with the first value of each: 3 (Y56), 4 (LEEDS); to read one: --map FIELD=NUMBER"
    )


def test_of_two_columns_of_telephones_none_is_certain() -> None:
    rows = [[f"Oak Hospital {number}", f"0113 200000{number}", f"0113 300000{number}"] for number in range(5)]
    assert "phone" not in fields(choose(["1", "2", "3"], rows))


@pytest.mark.parametrize(
    ("cells", "is_rounded"),
    [
        (["1.4E+10", "1.4E+10", "14000000003"], True),
        (["1,42E+09", "1,43E+09", "1,44E+09"], True),
        (["14.5", "15.5", "16.5"], False),
        (["5E1", "5E2", "5E3"], False),
    ],
)
def test_an_identifier_that_a_spreadsheet_has_rounded_is_mentioned(cells: Sequence[str], is_rounded: bool) -> None:
    found = [
        note for note in notes_on("Facility ID", cells) if "has numbers that a spreadsheet has rounded" in note
    ]
    assert len(found) == is_rounded
    assert all(note.startswith("Facility ID has numbers") and cells[0] in note for note in found)


@pytest.mark.parametrize(
    ("header", "cells", "named"),
    [
        ("UTM_X,UTM_Y", "{0}5000.5,41{0}000", "UTM_X, UTM_Y may have one"),
        ("Easting,Northing", "5{0}000,18{0}000", "Easting, Northing may have one"),
        ("NORTE,ESTE", "-12.{0},-77.{0}", "NORTE, ESTE may have one"),
        ("E,N", "26{0}000,12{0}000", "E, N may have one"),
        ("lat_e6,lon_e6", "56{0}0000,-2{0}000", "lat_e6, lon_e6 may have one"),
        # Of these another note says that they are not in degrees.
        ("Latitude,Longitude", "4{0}8251,54{0}932", ""),
        ("Easting,Notes", "5{0}000,x", ""),
        ("E,Notes", "26{0}000,x", ""),
        ("Easting,Northing", "east side,north side", ""),
        ("lat,lon,Easting,Northing", "51.{0},0.{0},5{0}000,18{0}000", ""),
    ],
)
def test_columns_of_positions_that_are_not_read_are_named(
    tmp_path: Path, header: str, cells: str, named: str
) -> None:
    path = tmp_path / "list.csv"
    rows = [f"K{number},Oak {number},Aveda,{cells.format(number)}" for number in range(10, 16)]
    path.write_text("\n".join([f"code,name,city,{header}", *rows]))
    notes = [note for note in HospitalFile.open(path).notes if note.startswith("no position is read")]
    assert [named in note for note in notes] == [True] * bool(named)


@pytest.mark.parametrize(("cells", "is_named"), [("Hôpital Nord {0}", True), ("oui", False)])
def test_names_in_another_language_are_named_although_their_column_may_mean_something_else(
    tmp_path: Path, cells: str, is_named: bool
) -> None:
    path = tmp_path / "list.csv"
    rows = [f"{cells.format(number)},مستشفى الشمال {number},Aveda" for number in range(10, 16)]
    path.write_text("\n".join(["Hôpital,المستشفى,Ville", *rows]))
    said = [note for note in HospitalFile.open(path).notes if "Hôpital may be it as well" in note]
    assert [note.startswith("the hospital's name is read from المستشفى;") for note in said] == [True] * is_named


def test_both_names_of_a_hospital_are_kept_as_the_note_says(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [f"Hôpital Nord {number},مستشفى الشمال {number},Aveda" for number in range(10, 16)]
    path.write_text("\n".join(["Hôpital,المستشفى,Ville", *rows]))
    wishes = FileWishes(columns=ColumnWishes(mapping={"attributes.other_name": "Hôpital"}))
    file = HospitalFile.open(path, wishes)
    first = next(row.known for row in file.rows() if row.known is not None)
    assert (first["hospital_name"], first["attributes"]) == ("مستشفى الشمال 10", {"other_name": "Hôpital Nord 10"})
    assert not [note for note in file.notes if "may be it as well" in note]
