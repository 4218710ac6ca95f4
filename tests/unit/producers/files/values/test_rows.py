import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.values import LeftOut, RowReader, ValueWishes, choose_readers
from tests.support.columns import NOW, Column, Mapped, Row, read_rows

HEADERS = {
    "name": "hospital_name",
    "city": "city",
    "beds": "beds",
    "lat": "latitude",
    "lon": "longitude",
    "phone": "phone",
    "postcode": "postal_code",
    "address": "address",
    "emergency": "emergency_services",
    "updated_at": "observed_at",
    "id": "external_id",
    "source": "source",
    "where": "location",
    "type": "hospital_type",
    "tag": "attributes.tag",
}


def load(
    text: str, delimiter: str = ",", **options: Any
) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    """Read a CSV text. Return the records as JSON, and what was left out: field, cell and reason."""
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    read = read_rows({HEADERS[column]: column for column in rows[0]}, rows, **options)
    records = [row.record.model_dump(mode="json", exclude_none=True) if row.record else {} for row in read]
    return records, [(it.field, it.value, it.reason) for row in read for it in row.left_out]


def test_words_for_nothing_are_not_known() -> None:
    records, left_out = load(
        "name,city,beds,lat,lon,phone\n"
        "Oak Hospital,Aveda,-999,10.5,20.5,NOT AVAILABLE\n"
        "Elm Hospital,NULL,NA,NA,NA,N/A\n"
        "Ash Hospital,Corvo,null,11.5,21.5,null\n"
        "Fir Hospital,\\N,\\N,12.5,22.5,None\n"
        "Yew Hospital,Edrin,40,13.5,23.5,-\n"
    )
    assert records[0] == {
        "hospital_name": "Oak Hospital",
        "city": "Aveda",
        "location": {"type": "Point", "coordinates": [20.5, 10.5]},
    }
    assert records[1] == {"hospital_name": "Elm Hospital"}
    assert [record.get("beds") for record in records] == [None, None, None, None, 40]
    assert not left_out


def test_a_decimal_comma_is_read() -> None:
    records, _ = load("lon;lat;name\n-58,5076151;-34,6253368;Hospital del Norte\n", ";")
    assert records[0]["location"]["coordinates"] == [-58.5076151, -34.6253368]


def test_a_line_break_in_a_cell_is_a_blank() -> None:
    records, _ = load('name,address,phone\nA,"69 Main Street\r\nAveda VIC 3690",1\n"Birch\nHospital",x,"1\n2"\n')
    assert records[0]["address"] == "69 Main Street Aveda VIC 3690"
    assert (records[1]["hospital_name"], records[1]["phone"]) == ("Birch Hospital", "1 2")


def test_an_unreadable_cell_does_not_cost_its_row() -> None:
    records, left_out = load("name,emergency\nA,SI\nB,NO\nC,Sí\nD,○\nE,ja\nF,oui\nG,N1\n")
    assert [record.get("emergency_services") for record in records] == [True, False, True, True, True, True, None]
    assert left_out == [("emergency_services", "N1", "is neither yes nor no")]


def test_dates_without_offset_are_utc_and_an_ambiguous_one_is_left_out() -> None:
    records, left_out = load("name,updated_at\nA,2024-03-01 12:00:00\nB,2024-03-02\nC,03/04/2024\n")
    assert [record.get("observed_at") for record in records] == [
        "2024-03-01T12:00:00Z",
        "2024-03-02T00:00:00Z",
        None,
    ]
    assert left_out == [("observed_at", "03/04/2024", "may be day/month or month/day; give --date-order")]


def test_both_coordinates_in_one_cell() -> None:
    records, _ = load('where,name\n"11.6357, 92.7120",A\n"11.8311, 92.6586",B\n')
    assert [record["location"]["coordinates"] for record in records] == [[92.712, 11.6357], [92.6586, 11.8311]]


def test_text_that_was_a_float_is_the_whole_number() -> None:
    records, _ = load("name,postcode,phone\nA,1425.0,5411430001.0\nB,C1407KQF,\n")
    assert [record.get("postal_code") for record in records] == ["1425", "C1407KQF"]
    assert records[0]["phone"] == "5411430001"


def test_windows_quotes_are_restored() -> None:
    records, _ = load("name\nCENTRE D\x92ETUDES\n\x93Sf. Ana\x94 Hospital\n")
    assert [record["hospital_name"] for record in records] == [
        "CENTRE D\N{RIGHT SINGLE QUOTATION MARK}ETUDES",
        "\N{LEFT DOUBLE QUOTATION MARK}Sf. Ana\N{RIGHT DOUBLE QUOTATION MARK} Hospital",
    ]


def test_coordinates_that_cannot_be_are_left_out() -> None:
    records, left_out = load("name,lat,lon\nOak,0.00,0.00\nElm,-6.5984,106.8056\nAsh,106.8056,-6.5984\n")
    assert [record.get("location", {}).get("coordinates") for record in records] == [
        None,
        [106.8056, -6.5984],
        None,
    ]
    assert left_out[0] == ("location", "0.00 | 0.00", "0, 0 means that the position is not known")
    assert "swapped" in left_out[1][2]


def test_a_placeholder_is_no_identifier() -> None:
    records, _ = load("id,name\n0,Um\n0,Dois\n2576001,Central\nNone,Nova\n", constants={"source": "demo"})
    assert [record.get("external_id") for record in records] == [None, None, "2576001", None]


def test_a_cell_that_the_contract_refuses_is_left_out() -> None:
    records, left_out = load(f"name,address,beds,tag\nA,{'x' * 201},100001,{'y' * 1001}\n")
    assert records == [{"hospital_name": "A"}]
    assert [(field, reason) for field, _, reason in left_out] == [
        ("address", "String should have at most 200 characters"),
        ("beds", "Input should be less than or equal to 100000"),
        ("attributes.tag", "longer than 1000 characters"),
    ]
    assert [len(value) for _, value, _ in left_out] == [200, 6, 200]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,city\n ,Rome\n", "hospital_name: is missing"),
        ("name\nN/A\n", "hospital_name: is missing ('N/A')"),
        ("name\n???\n", "hospital_name: is missing ('???')"),
        ("name,city\nTOTAL:,60\n", "hospital_name: is the word for a total"),
        ("name,city\nGenel Toplam,60\n", "hospital_name: is the word for a total"),
        ("name,city\n合計,60\n", "hospital_name: is the word for a total"),
        (f"name\n{'x' * 301}\n", "hospital_name: String should have at most 300 characters"),
        ("name,id\nA,5\n", "external_id: needs a source, and the row has none"),
        ("name,id,source\nA,5,unknown\n", "external_id: needs a source, and the row has none"),
        ("name,id,source\nA,5,CMS\n", "source: String should match pattern"),
        (f"name,id,source\nA,{'51' * 65},cms\n", "external_id: String should have at most 128 characters"),
        ("name,id,source\nA,5.4E+12,cms\n", "external_id: is a number that a spreadsheet has rounded"),
        ("name,source\nA,name\n", "source: 'name' is reserved"),
        ("name\nA\udce9\n", "hospital_name: contains a broken character"),
    ],
)
def test_only_a_missing_name_or_an_invalid_identity_rejects_a_row(text: str, reason: str) -> None:
    rows = list(csv.DictReader(io.StringIO(text)))
    (row,) = read_rows({HEADERS[column]: column for column in rows[0]}, rows)
    assert row.record is None
    assert [it[: len(reason)] for it in row.reasons] == [reason]


def test_a_name_that_means_not_known_is_in_the_reason() -> None:
    rows: list[dict[str, object]] = [{"n": "Unknown"}, {"n": " "}, {"n": ""}, {"n": None}]
    found = read_rows({"hospital_name": "n"}, rows)
    missing = "hospital_name: is missing"
    assert [row.reasons for row in found] == [(f"{missing} ('Unknown')",), (missing,), (missing,), (missing,)]


def test_all_reasons_of_a_row_are_given() -> None:
    (row,) = read_rows({"hospital_name": "n", "external_id": "i"}, [{"n": "", "i": "5.4E+12"}])
    assert [reason.partition(":")[0] for reason in row.reasons] == ["external_id", "hospital_name"]


def test_what_the_sample_is_read_for_is_not_counted() -> None:
    mapped = [Mapped("hospital_name", ("n",)), Mapped("latitude", ("a",)), Mapped("longitude", ("o",))]
    columns = {"a": Column(["<b>1.5</b>"] * 30), "o": Column(["2.5"] * 30)}
    reader = RowReader(mapped, choose_readers(mapped, columns, ValueWishes()))
    reader.read(Row({"n": "A", "a": "<b>1.5</b>", "o": "2.5"}))
    assert reader.notes() == ["latitude: HTML removed (1 cell)"]


def test_a_cell_that_is_changed_is_counted_each_time_that_it_occurs() -> None:
    mapped = [Mapped("hospital_name", ("n",)), Mapped("attributes.tag", ("t",))]
    reader = RowReader(mapped, choose_readers(mapped, {}, ValueWishes()))
    found = [reader.read(Row({"n": "<b>A</b>", "t": tag})).record for tag in ("<i>x</i>", "<i>x</i>", "x")]
    assert [record and record.attributes for record in found] == [{"tag": "x"}] * 3
    assert reader.notes() == ["hospital_name: HTML removed (3 cells)", "attributes.tag: HTML removed (2 cells)"]


def test_what_is_left_out_of_the_attributes_of_one_row_stays_in_no_other() -> None:
    mapped = [Mapped("hospital_name", ("n",)), Mapped("attributes", ("a",))]
    reader = RowReader(mapped, choose_readers(mapped, {}, ValueWishes()))
    cells = '{"good": 1, "large": 1e300}'
    found = [reader.read(Row({"n": "A", "a": cells})) for _ in range(2)]
    assert [row.record and row.record.attributes for row in found] == [{"good": 1}] * 2
    assert [[it.field for it in row.left_out] for row in found] == [["attributes.large"]] * 2


def test_a_broken_character_is_reported() -> None:
    (row,) = read_rows({"hospital_name": "n", "city": "c"}, [{"n": "A", "c": "B\ud800"}])
    assert row.left_out == (LeftOut("city", "c", "B\\ud800", "contains a broken character"),)


def test_strict_rejects_rows_with_unreadable_cells() -> None:
    rows = [{"n": "A", "b": "many"}, {"n": "B", "b": "5"}]
    first, second = read_rows({"hospital_name": "n", "beds": "b"}, rows, strict=True)
    assert (first.record, first.reasons) == (None, ("beds: is not a number",))
    assert first.left_out == (LeftOut("beds", "b", "many", "is not a number"),)
    assert second.record is not None


def test_a_row_with_a_problem_has_no_record() -> None:
    readers = choose_readers([Mapped("hospital_name", ("n",))], {}, ValueWishes())
    reader = RowReader([Mapped("hospital_name", ("n",))], readers)
    assert reader.read(Row({"n": "A"}, problem="has 3 cells")).reasons == ("has 3 cells",)


def test_native_values_are_read_in_every_field() -> None:
    given = {
        "n": "A", "b": 5.0, "e": True, "p": 7, "i": 7, "w": {"type": "Point", "coordinates": [2.5, 48.5]},
        "a": {"rating": 4, "text": " x "}, "t": "Multi",
    }  # fmt: skip
    fields = {
        "hospital_name": "n", "beds": "b", "emergency_services": "e", "phone": "p", "external_id": "i",
        "location": "w",
        "attributes": "a", "attributes.tag": "t", "hospital_type": "t",
    }  # fmt: skip
    (row,) = read_rows(fields, [given], constants={"source": "x"})
    assert row.record is not None
    assert row.record.model_dump(mode="json", exclude_none=True) == {
        "hospital_name": "A", "source": "x", "external_id": "7", "beds": 5, "emergency_services": True,
        "phone": "7",
        "location": {"type": "Point", "coordinates": [2.5, 48.5]}, "hospital_type": "multi",
        "attributes": {"rating": 4, "text": "x", "tag": "Multi"},
    }  # fmt: skip


def test_a_date_and_a_time_in_two_columns_are_one_instant() -> None:
    rows = [{"n": "A", "d": "2024-03-01", "t": "12:30"}, {"n": "B", "d": "", "t": ""}]
    first, second = read_rows({"hospital_name": "n", "observed_at": ("d", "t")}, rows)
    assert first.record is not None
    assert first.record.observed_at is not None
    assert first.record.observed_at.isoformat() == "2024-03-01T12:30:00+00:00"
    assert second.record is not None


def test_a_latitude_without_longitude_in_the_file_is_not_read() -> None:
    (row,) = read_rows({"hospital_name": "n", "latitude": "lat"}, [{"n": "A", "lat": "x"}])
    assert row.record is not None
    assert not row.left_out


def test_constants_take_precedence_over_columns() -> None:
    fields = {"hospital_name": "n", "source": "s"}
    (row,) = read_rows(fields, [{"n": "A", "s": "NOT A SOURCE"}], constants={"source": "cms"})
    assert row.record is not None
    assert row.record.source == "cms"


def test_changes_are_noted_with_their_number() -> None:
    mapped = [Mapped("hospital_name", ("n",)), Mapped("postal_code", ("p",))]
    readers = choose_readers(mapped, {"p": Column(["1425.0"])}, ValueWishes(), now=NOW)
    reader = RowReader(mapped, readers)
    reader.read(Row({"n": "Oak\u200b", "p": "1425.0"}))
    reader.read(Row({"n": "Elm\x92s", "p": "1270.0"}, repaired=("n", "x")))
    assert reader.notes() == [
        "hospital_name: control characters read as cp1252 (1 cell)",
        "hospital_name: invisible characters removed (1 cell)",
        "postal_code: whole numbers written as 1425.0; leading zeros, if there were any, are lost (2 cells)",
        "hospital_name: a stray byte read as cp1252 (1 cell)",
    ]


def test_settings_of_one_delivery_read_the_next_alike() -> None:
    mapped = [
        Mapped(field, (field,))
        for field in ("beds", "observed_at", "emergency_services", "postal_code", "location")
    ]
    sample: dict[str, list[object]] = {
        "beds": ["120", "1.234"], "observed_at": ["25/03/2024"], "emergency_services": ["x", "no"],
        "postal_code": ["1425.0"],
        "location": ["106.8, -6.5"],
    }  # fmt: skip
    first = choose_readers(
        mapped, {field: Column(cells) for field, cells in sample.items()}, ValueWishes(), now=NOW
    )
    second = choose_readers(mapped, {}, ValueWishes(settings=first.settings), now=NOW)
    assert second.settings == first.settings
    cells = {"beds": "2.345", "observed_at": "03/04/2024", "emergency_services": "x", "postal_code": "1.0"}
    for field, cell in {**cells, "location": "5, 6"}.items():
        assert second.by_field[field].read((cell,)) == first.by_field[field].read((cell,))


CELLS = st.one_of(
    st.text(max_size=40),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(allow_nan=False) | st.just(Decimal("NaN")),
    st.datetimes(),
    st.dates(),
    st.binary(max_size=5),
    st.sampled_from(
        ["N/A", "1.234", "1,5", "03/04/2024", "x", "○", "0,0", "POINT(1 2)", "{}", "\ud800", "\x00", "5E+3"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
)
ROW = st.dictionaries(st.sampled_from(sorted(HEADERS)), CELLS)


@given(st.lists(ROW, min_size=1, max_size=5), st.booleans())
def test_every_row_is_a_record_or_has_reasons(rows: list[Mapping[str, object]], strict: bool) -> None:
    fields: dict[str, str | tuple[str, ...]] = {field: column for column, field in HEADERS.items()}
    for row in read_rows(fields, rows, strict=strict):
        assert (row.record is None) == bool(row.reasons)
        assert not (strict and row.left_out and row.record)
        for text in (*row.reasons, *(f"{it.value}{it.reason}" for it in row.left_out)):
            assert len(text.splitlines()) <= 1
            assert orjson.dumps(text)


@pytest.mark.parametrize("column", sorted(HEADERS))
@pytest.mark.parametrize(
    "piece",
    [
        "n1",
        "1 ",
        "1,",
        "(1",
        "<a ",
        "&#1",
        "1.1",
        "a ",
        " \u200b",
        "1-",
        "\u0661",
        "{",
        "[",
        "POINT(",
        "1\u00b0",
        "\x92",
        "0",
    ],
)
def test_a_long_cell_takes_no_time_and_no_memory(column: str, piece: str) -> None:
    # A reading whose time grew with the square of the length would take minutes.
    row = {"name": "A", column: piece * (200_000 // len(piece))}
    fields: dict[str, str | tuple[str, ...]] = {"hospital_name": "name", HEADERS[column]: column}
    (read,) = read_rows(fields, [row], constants={} if column == "source" else {"source": "x"})
    assert read.record is None or len(read.record.model_dump_json()) < 3_000
