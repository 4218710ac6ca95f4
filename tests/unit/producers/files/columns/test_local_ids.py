"""Which column tells rows of one name and place apart, where the list has no identifier that may be used."""

from collections.abc import Sequence

import pytest

from producers.files.columns import ColumnWishes
from tests.support.tables import choose, fields

CMS = ColumnWishes(source="cms")
# Two hospitals of one name at one place.
HOSPITALS = [("St Mary", "Kisumu"), ("St Mary", "Kisumu"), ("Aga Khan", "Mombasa"), ("Mater", "Nairobi")]
FOOTERS: list[Sequence[object]] = [["Total: 4", "", "", ""], ["Source: Ministry", "", "", ""]]


def rows_with(codes: Sequence[object]) -> list[Sequence[object]]:
    return [
        [str(n + 1), name, code, town] for n, ((name, town), code) in enumerate(zip(HOSPITALS, codes, strict=True))
    ]


@pytest.mark.parametrize("footers", [[], FOOTERS])
@pytest.mark.parametrize("wishes", [CMS, ColumnWishes()])
def test_unique_codes_tell_rows_apart_whatever_the_column_is_called(
    footers: list[Sequence[object]], wishes: ColumnWishes
) -> None:
    rows = [*rows_with(["A1001", "A1002", "A1003", "A1004"]), *footers]
    chosen = choose(["S.No", "Hospital Name", "Kenning", "Town"], rows, wishes)
    assert fields(chosen)["local_id"] == "Kenning"
    assert [mapped.why for mapped in chosen.mapped if mapped.field == "local_id"] == ["content"]
    assert chosen.notes[-1] == (
        f"no column is named as an identifier; with a different value in {'nearly ' if footers else ''}every row: "
        "Kenning (--map external_id=Kenning). Until then Kenning only tells hospitals of one name and place apart"
    )


def test_an_identifier_that_footers_lack_tells_rows_apart_and_is_noted_once() -> None:
    rows = [*rows_with(["A1001", "A1002", "A1003", "A1004"]), *FOOTERS]
    chosen = choose(["S.No", "Hospital Name", "Licence No", "Town"], rows, CMS)
    assert fields(chosen)["local_id"] == "Licence No"
    [note] = [note for note in chosen.notes if "Licence No" in note]
    assert note == (
        "Licence No is missing in 2 of 6 rows, so it is not used as the identifier; to use it where it is known: "
        '--map external_id="Licence No"'
    )


@pytest.mark.parametrize(
    "codes",
    [
        ["A1001", "", "", "A1004"],
        ["A1001", "A1001", "A1003", "A1004"],
        ["12", "14", "7", "9"],
        ["red", "green", "blue", "grey"],
        ["02-23654060", "050-2222222", "(02) 2365 4061", "+20 2 23654062"],
    ],
)
def test_other_content_does_not_tell_rows_apart(codes: Sequence[str]) -> None:
    assert "local_id" not in fields(choose(["S.No", "Hospital Name", "Kenning", "Town"], rows_with(codes), CMS))


@pytest.mark.parametrize(("columns", "local"), [(("E", "N"), None), (("E", "Kenning"), "E")])
def test_metres_to_the_east_and_north_do_not_tell_rows_apart(columns: Sequence[str], local: str | None) -> None:
    # A hospital whose position is corrected stays the same.
    rows = [[name, town, f"26{n}100", f"12{n}300"] for n, (name, town) in enumerate(HOSPITALS)]
    chosen = choose(["Hospital Name", "Town", *columns], rows, CMS)
    assert fields(chosen).get("local_id") == local


def test_unique_codes_tell_rows_apart_beside_a_column_that_only_counts_them() -> None:
    columns = ["id", "Hospital Name", "Kenning", "Town"]
    rows = rows_with(["A1001", "A1002", "A1003", "A1004"])
    assert fields(choose(columns, rows))["local_id"] == "Kenning"
    assert fields(choose(columns, rows, CMS))["local_id"] == "Kenning"


def test_the_local_id_can_be_left_out() -> None:
    wishes = ColumnWishes(source="cms", mapping={"local_id": ""})
    rows = rows_with(["A1001", "A1002", "A1003", "A1004"])
    assert "local_id" not in fields(choose(["S.No", "Hospital Name", "Kenning", "Town"], rows, wishes))


@pytest.mark.parametrize("column", ["Facility ID", "Licence No", "ID", "Xyz Code"])
@pytest.mark.parametrize("number", ["1", "5"])
def test_the_identifier_of_a_delivery_of_one_row_may_be_any_number(column: str, number: str) -> None:
    chosen = choose(["Facility Name", column, "City", "beds"], [["A", number, "Kisumu", "66"]], CMS)
    assert fields(chosen)["external_id"] == column


@pytest.mark.parametrize("cells", [["yes"], ["Y"], ["Y", "N"], ["1", "1", "0"]])
def test_yes_and_no_identify_nothing(cells: Sequence[str]) -> None:
    rows = [[f"Clinic {number}", cell] for number, cell in enumerate(cells)]
    assert "external_id" not in fields(choose(["name", "code"], rows, CMS))


@pytest.mark.parametrize("column", ["X_RD", "ITM_Y", "Coord_Est", "Northing"])
def test_a_position_in_metres_is_no_code(column: str) -> None:
    chosen = choose(["S.No", "Hospital Name", column, "Town"], rows_with(["119001", "483112", "120555", "121007"]))
    assert "local_id" not in fields(chosen)


def test_the_oids_of_a_register_are_no_running_numbers() -> None:
    codes = [f"1.2.246.10.153{number}.10.{number}" for number in range(4)]
    chosen = choose(["S.No", "Hospital Name", "OID", "Town"], rows_with(codes), CMS)
    assert fields(chosen)["local_id"] == "OID"
    assert [note for note in chosen.notes if "OID numbers the rows" in note] == []
