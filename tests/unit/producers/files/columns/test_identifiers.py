from collections.abc import Sequence

import pytest

from producers.files.columns import ColumnError, ColumnWishes
from tests.support.tables import choose, fields

CMS = ColumnWishes(source="cms")
# Rows that are equal but for what a test adds.
NAMES = [f"Clinic {letter}" for letter in "abcdefghij"]


def with_names(**columns: Sequence[object]) -> tuple[list[str], list[Sequence[object]]]:
    rows = zip(NAMES, *columns.values(), strict=False)
    return ["name", *columns], list(rows)


CODES = [f"H{number}7" for number in range(10)]


@pytest.mark.parametrize(
    "column", ["HospitalCode", "id", "code", "kode_rs", "FI_ET", "CO_CNES", "osm_id", "nr", "XyzCode"]
)
def test_a_full_and_unique_column_named_as_an_identifier_is_used_with_a_source(column: str) -> None:
    chosen = choose(*with_names(**{column: CODES}), CMS)
    assert fields(chosen)["external_id"] == column
    assert (chosen.candidates, chosen.unused_identifier, chosen.notes) == ((column,), None, ())


def test_items_of_wikidata_identify_hospitals_whatever_the_column_is_called() -> None:
    items = [f"http://www.wikidata.org/entity/Q{number}" for number in range(10, 20)]
    assert fields(choose(*with_names(item=items), CMS))["external_id"] == "item"
    # The code of an authority comes before, and other addresses are not identifiers.
    assert fields(choose(*with_names(item=items, HospitalCode=CODES), CMS))["external_id"] == "HospitalCode"
    pages = [f"http://www.example.org/Q{number}" for number in range(10, 20)]
    assert "external_id" not in fields(choose(*with_names(item=pages), CMS))


@pytest.mark.parametrize(("other", "first"), [("code", "code"), ("XyzCode", "item")])
def test_items_of_wikidata_come_after_codes_of_the_list_and_before_codes_of_something_else(
    other: str, first: str
) -> None:
    items = [f"http://www.wikidata.org/entity/Q{number}" for number in range(10, 20)]
    # The order of the columns must not decide.
    for columns in ({"item": items, other: CODES}, {other: CODES, "item": items}):
        assert fields(choose(*with_names(**columns), CMS))["external_id"] == first


def test_an_identifier_is_never_used_without_a_source() -> None:
    chosen = choose(*with_names(HospitalCode=CODES))
    assert "external_id" not in fields(chosen)
    assert (fields(chosen)["local_id"], chosen.unused_identifier) == ("HospitalCode", "HospitalCode")
    [note] = chosen.notes
    assert note == (
        "HospitalCode has a different value in every row, but an identifier is used only together with its source; "
        "say whose list this is: --source NAME. Until then it only tells hospitals of one name and place apart"
    )


@pytest.mark.parametrize(
    ("column", "values", "wishes", "local"),
    [
        ("HospitalCode", CODES, ColumnWishes(), "HospitalCode"),
        ("HospitalCode", CODES, ColumnWishes(mapping={"local_id": ""}), None),
        ("HospitalCode", CODES, CMS, None),
        # Often missing, or the same in some rows that differ: of no use as identity.
        ("HospitalCode", [*CODES[:6], *[""] * 4], CMS, "HospitalCode"),
        ("HospitalCode", [*CODES[:8], *CODES[:2]], CMS, "HospitalCode"),
        # Most rows share it, or it only counts them.
        ("HospitalCode", ["A"] * 8 + ["B"] * 2, CMS, None),
        ("id", [str(number) for number in range(1, 11)], ColumnWishes(), None),
        ("OBJECTID", CODES, ColumnWishes(), None),
    ],
)
def test_an_identifier_that_cannot_be_the_identity_tells_rows_apart(
    column: str, values: Sequence[str], wishes: ColumnWishes, local: str | None
) -> None:
    assert fields(choose(*with_names(**{column: values}), wishes)).get("local_id") == local


def test_an_identifier_is_used_with_a_source_column() -> None:
    chosen = choose(*with_names(source=["moh", "osm"] * 5, id=CODES))
    assert (fields(chosen)["source"], fields(chosen)["external_id"]) == ("source", "id")


def test_an_identifier_may_repeat_in_another_source() -> None:
    chosen = choose(*with_names(source=["moh", "osm"] * 5, id=[code for code in CODES[:5] for _ in range(2)]))
    assert fields(chosen)["external_id"] == "id"


@pytest.mark.parametrize(
    ("columns", "best", "other"),
    [
        (("OrganisationID", "OrganisationCode"), "OrganisationCode", "OrganisationID"),
        (("OrganisationCode", "OrganisationID"), "OrganisationCode", "OrganisationID"),
        (("id", "CNES"), "CNES", "id"),
        (("uuid", "osm_id"), "osm_id", "uuid"),
        (("SIREN", "code"), "code", "SIREN"),
        (("parcel_code", "id"), "id", "parcel_code"),
    ],
)
def test_of_several_identifiers_the_best_name_is_used_and_the_others_are_named(
    columns: Sequence[str], best: str, other: str
) -> None:
    chosen = choose(*with_names(**dict.fromkeys(columns, CODES)), CMS)
    assert (fields(chosen)["external_id"], chosen.candidates) == (best, (best, other))
    [note] = chosen.notes
    assert note == (
        f"{best} is used as the identifier; also with a different value in every row: {other} "
        f"(--map external_id={other})"
    )


@pytest.mark.parametrize("column", ["id", "ID", "No", "No.", "Nr", "Nr.", "NO", "number", "nummer"])
def test_a_column_that_counts_the_rows_in_their_order_is_never_used_by_itself(column: str) -> None:
    counts = [str(number) for number in range(1, 11)]
    alone = choose(*with_names(**{column: counts}), CMS)
    assert {"external_id", "local_id"}.isdisjoint(fields(alone))
    assert any(f"--map external_id={column}" in note for note in alone.notes)
    both = choose(*with_names(**{column: counts, "XyzCode": CODES}), CMS)
    assert fields(both)["external_id"] == "XyzCode"
    wanted = ColumnWishes(source="cms", mapping={"external_id": column})
    assert fields(choose(*with_names(**{column: counts}), wanted))["external_id"] == column


@pytest.mark.parametrize(
    "numbers",
    [[3, 1, 2, 5, 4, 7, 6, 9, 8, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 11], [2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [1, 2]],
)
def test_numbers_in_another_order_or_with_gaps_are_used_if_there_is_no_other(numbers: list[int]) -> None:
    rows = [(name, str(number)) for name, number in zip(NAMES, numbers, strict=False)]
    alone = choose(["name", "id"], rows, CMS)
    assert fields(alone)["external_id"] == "id"


def test_hospitals_that_an_authority_numbers_from_1_keep_their_numbers() -> None:
    counts = [str(number) for number in range(1, 11)]
    chosen = choose(*with_names(**{"Hospital ID": counts, "XyzCode": CODES}), CMS)
    assert chosen.candidates == ("Hospital ID", "XyzCode")


def test_numbers_with_leading_zeros_are_codes() -> None:
    chosen = choose(*with_names(id=[f"{number:04}" for number in range(1, 11)]), CMS)
    assert (fields(chosen)["external_id"], chosen.notes) == ("id", ())


def test_columns_that_are_no_identifier_are_not_mentioned_beside_a_good_one() -> None:
    chosen = choose(*with_names(CNES=CODES, code=["A"] * 10, ref=[*CODES[:4], *[""] * 6]), CMS)
    assert (fields(chosen)["external_id"], chosen.notes) == ("CNES", ())


@pytest.mark.parametrize("column", ["S.No", "#", "OBJECTID", "序号", "Lp."])
def test_a_column_named_as_a_running_number_is_never_used_by_itself(column: str) -> None:
    chosen = choose(*with_names(**{column: [str(number) for number in range(1, 11)]}), CMS)
    assert "external_id" not in fields(chosen)
    assert any(f"{column} numbers the rows of this delivery" in note for note in chosen.notes)


def test_placeholders_are_no_identifiers() -> None:
    few = [*CODES[:9], "0"]
    assert "external_id" not in fields(choose(*with_names(code=few), CMS))
    rows = [[f"Clinic {n}", f"H{n}"] for n in range(98)] + [["Clinic x", "0"], ["Clinic y", "0"]]
    mostly = choose(["name", "code"], rows, CMS)
    assert fields(mostly)["external_id"] == "code"


def test_an_identifier_that_is_often_missing_is_named_and_not_used() -> None:
    chosen = choose(*with_names(code=[*CODES[:4], "0", "0", "None", "None", "", "N/A"]), CMS)
    assert chosen.notes[-1] == (
        "code is missing in 6 of 10 rows, so it is not used as the identifier; to use it where it is known: "
        "--map external_id=code"
    )


def test_rows_that_are_wholly_equal_do_not_make_an_identifier_repeat() -> None:
    columns, rows = with_names(code=CODES)
    chosen = choose(columns, [*rows, rows[3], rows[5]], CMS)
    assert fields(chosen)["external_id"] == "code"


def test_an_identifier_that_is_unique_only_with_another_column_is_named_with_it() -> None:
    columns = ["id", "hospital_name", "city", "country"]
    rows = [
        ["17", "Nordklinik", "Aveda", "Aland"],
        ["17", "Clinica Sur", "Brusk", "Bland"],
        ["18", "Ostklinik", "Corvo", "Aland"],
        ["18", "Ostklinik", "Corvo", "Aland"],
    ]
    chosen = choose(columns, rows, CMS)
    note = 'id repeats in rows that differ; together with country it does not: --map external_id="country + id"'
    assert note in chosen.notes
    given = choose(columns, rows, ColumnWishes(source="cms", mapping={"external_id": "country + id"}))
    assert fields(given)["external_id"] == "country+id"
    assert fields(given)["country"] == "country"
    single = choose(columns, rows, ColumnWishes(source="cms", mapping={"external_id": "id"}))
    assert note in single.notes


def test_a_column_that_is_often_empty_is_not_proposed_as_a_part_of_a_key() -> None:
    columns = ["id", "hospital_name", "city", "country"]
    rows = [[f"1{n // 2}", f"Clinic {n}", "Aveda", ("Aland", "Bland")[n % 2]] for n in range(40)]
    assert any("together with country" in note for note in choose(columns, rows, CMS).notes)
    emptier = [[*row[:3], row[3] if n > 8 else ""] for n, row in enumerate(rows)]
    notes = choose(columns, emptier, CMS).notes
    assert any(note.startswith("id repeats in rows that differ") for note in notes)
    assert not any("together with" in note for note in notes)


def test_two_identifiers_that_are_unique_only_together_are_named() -> None:
    rows = [[f"Clinic {n}", f"A{n // 2}", f"0{n % 2}"] for n in range(8)]
    chosen = choose(["name", "Codice struttura", "Sub Codice"], rows, CMS)
    assert (
        "Codice struttura repeats in rows that differ; together with Sub Codice it does not: "
        '--map external_id="Sub Codice + Codice struttura"' in chosen.notes
    )


def test_an_identifier_that_repeats_is_not_used() -> None:
    chosen = choose(*with_names(code=[*CODES[:9], CODES[0]]), CMS)
    assert chosen.notes == (
        "--source is given, but no column was found that identifies the hospitals",
        "code repeats in rows that differ, so it does not identify the hospitals",
    )


def test_columns_of_codes_with_other_names_are_proposed() -> None:
    chosen = choose(*with_names(Kenning=CODES, house_number=CODES), CMS)
    assert "external_id" not in fields(chosen)
    assert chosen.notes[-1] == (
        "no column is named as an identifier; with a different value in every row: Kenning "
        "(--map external_id=Kenning). Until then Kenning only tells hospitals of one name and place apart"
    )


@pytest.mark.parametrize(
    "cells",
    [
        [f"{n}.5, {n}.25" for n in range(10)],
        [f"2024-03-{n + 10}" for n in range(10)],
        [f"{n}.125" for n in range(10)],
        [f"a rather long remark on house {n}" for n in range(10)],
        ["x" * 200 + str(n) for n in range(10)],
        [f"ward{n}@hospital.org" for n in range(10)],
    ],
)
def test_other_content_is_no_identifier(cells: Sequence[str]) -> None:
    chosen = choose(*with_names(code=cells), CMS)
    assert (chosen.candidates, chosen.columns_of("external_id")) == ((), ())


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("登记情况", [f"{number}张" for number in range(50, 62)]),
        ("Kenning", [f"{number}lits" for number in range(50, 62)]),
        ("Штат", [f"{number}чел." for number in range(50, 62)]),
        ("医生数", [f"{number}0000" for number in range(50, 62)]),
        ("Number of visits", [f"{number}0000" for number in range(50, 62)]),
        ("Anzahl Fälle", [f"{number}0000" for number in range(50, 62)]),
    ],
)
def test_numbers_of_something_are_never_proposed_as_the_identifier(column: str, cells: Sequence[str]) -> None:
    rows = [[f"Clinic {number}", cell] for number, cell in enumerate(cells)]
    chosen = choose(["name", column], rows, CMS)
    assert not {"external_id", "local_id"} & fields(chosen).keys()
    assert not any(column in note for note in chosen.notes)


def test_a_column_called_external_id_is_used_even_if_it_repeats() -> None:
    columns, rows = with_names(source=["moh"] * 10, external_id=[*CODES[:4], CODES[0], *[""] * 5])
    chosen = choose(columns, rows)
    assert fields(chosen)["external_id"] == "external_id"
    [note] = chosen.notes
    assert note.startswith("external_id repeats in rows that differ")
    assert choose(columns, rows, ColumnWishes(mapping={"external_id": ""})).left_out == ("external_id",)
    assert "external_id" not in fields(choose(*with_names(external_id=CODES)))


def test_a_given_identifier_needs_a_source() -> None:
    with pytest.raises(ColumnError, match=r"external_id is read from code, but an identifier .* --source NAME"):
        choose(*with_names(code=CODES), ColumnWishes(mapping={"external_id": "code"}))


def test_the_identifier_can_be_left_out() -> None:
    chosen = choose(*with_names(code=CODES), ColumnWishes(source="cms", mapping={"external_id": ""}))
    assert (chosen.candidates, chosen.left_out, chosen.notes) == ((), ("code",), ())


# Two rows of one hospital that differ only in columns that say nothing of who it is.
REPEATED = [
    ["1", "H17", "North Hospital", "Aveda", "surgery"],
    ["2", "H27", "South Hospital", "Brusk", "surgery"],
    ["3", "H17", "NORTH  Hospital", "Aveda", "eyes"],
    ["4", "H37", "West Hospital", "Corvo", "eyes"],
]


@pytest.mark.parametrize("number", ["S.No", "id"])
def test_rows_of_one_hospital_may_share_its_identifier(number: str) -> None:
    columns = [number, "HospitalCode", "name", "city", "speciality of the day"]
    chosen = choose(columns, REPEATED, CMS)
    assert fields(chosen)["external_id"] == "HospitalCode"
    assert chosen.notes == (
        "HospitalCode repeats in rows that agree in name and place, so each is taken for one hospital",
    )
    assert fields(choose(columns, REPEATED))["local_id"] == "HospitalCode"
    given = choose(columns, REPEATED, ColumnWishes(source="cms", mapping={"external_id": "HospitalCode"}))
    assert given.notes == chosen.notes


def test_an_identifier_of_each_row_comes_before_one_that_rows_share() -> None:
    columns = ["site code", "HospitalCode", "name", "city"]
    rows = [["S1", "H17", "City Clinic", "Aveda"], ["S2", "H17", "City Clinic", "Aveda"], ["S3", "H3", "X", "Y"]]
    assert choose(columns, rows, CMS).candidates == ("site code",)


def test_the_own_identifier_that_rows_share_comes_before_any_other_code() -> None:
    # Each row is what a hospital has been permitted.
    columns = ["filing code", "HospitalCode", "name", "city", "filing"]
    rows = [[f"F{number}", *row[1:]] for number, row in enumerate(REPEATED)]
    assert choose(columns, rows, CMS).candidates == ("HospitalCode",)
    # "Code" alone does not say whose it is.
    assert choose(["filing code", "code", *columns[2:]], rows, CMS).candidates == ("filing code",)


@pytest.mark.parametrize(
    "columns",
    [
        # Nothing of the place is known, or not whose name it is.
        ["ward", "HospitalCode", "name", "what", "else"],
        ["ward", "HospitalCode", "c", "city", "else"],
    ],
)
def test_rows_may_share_an_identifier_only_if_their_name_and_place_are_known(columns: list[str]) -> None:
    chosen = choose(columns, REPEATED, ColumnWishes(source="cms", mapping={"hospital_name": columns[2]}))
    assert "external_id" not in fields(chosen)
    assert "HospitalCode repeats in rows that differ, so it does not identify the hospitals" in chosen.notes


def test_a_key_of_two_columns_may_repeat_in_rows_of_one_hospital() -> None:
    columns = ["S.No", "id", "name", "city", "country"]
    rows = [
        ["1", "17", "Nordklinik", "Aveda", "Aland"],
        ["2", "17", "Clinica Sur", "Brusk", "Bland"],
        ["3", "18", "Ostklinik", "Corvo", "Aland"],
        ["4", "18", "Ostklinik", "Corvo", "Aland"],
    ]
    assert any(
        'together with country it does not: --map external_id="country + id"' in note
        for note in choose(columns, rows, CMS).notes
    )


def test_an_identifier_that_is_given_may_repeat_in_another_source() -> None:
    columns, rows = with_names(
        source=["moh", "osm"] * 5, external_id=[code for code in CODES[:5] for _ in range(2)]
    )
    chosen = choose(columns, rows)
    assert (fields(chosen)["external_id"], chosen.notes) == ("external_id", ())


@pytest.mark.parametrize("placeholder", ["0", "00000", "nil"])
def test_a_column_of_placeholders_alone_identifies_nothing(placeholder: str) -> None:
    for wishes in (CMS, ColumnWishes()):
        chosen = choose(*with_names(code=[placeholder] * 10), wishes)
        assert (chosen.left_out, chosen.candidates) == (("code",), ())
