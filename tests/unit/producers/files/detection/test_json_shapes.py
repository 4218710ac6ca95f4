"""Where the records of a JSON document are, beside what describes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.table import Wishes

NAMES = ["code", "hospital_name", "district", "pincode", "beds"]
ROWS = [["H1", "Oak", "Aveda", "282001", "12"], ["H2", "Elm", "Brusk", "800004", "20"]]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]


@pytest.mark.parametrize(
    "document",
    [
        # Fewer records than columns.
        {
            "title": "Hospitals",
            "field": [{"id": it, "name": it, "type": "keyword"} for it in NAMES],
            "records": RECORDS,
        },
        {"result": {"fields": [{"type": "text", "id": it} for it in NAMES], "records": RECORDS}},
        # Rows whose names stand in a list of their own.
        {"fields": [{"id": it[0], "label": it, "type": "string"} for it in NAMES], "data": ROWS},
        {"fields": [{"type": "text", "id": it} for it in NAMES], "records": ROWS},
        {"meta": {"view": {"columns": [{"id": -1, "name": it, "fieldName": it} for it in NAMES]}}, "data": ROWS},
        {"columns": NAMES, "data": ROWS},
        # A record under each key, in one line.
        {record["code"]: record for record in RECORDS},
        {"hospitals": {record["code"]: record for record in RECORDS}},
        {"resourceType": "Bundle", "entry": [{"resource": record} for record in RECORDS]},
        # Regions, with their hospitals; the second has one, which some converters write without a list.
        {
            "regions": [
                {"name": "North", "beds": 99, "hospitals": [RECORDS[0]]},
                {"name": "South", "hospitals": RECORDS[1]},
            ]
        },
        [{"state": "North", "beds": 99, "items": RECORDS}],
        {"countries": [{"country": "X", "regions": [{"region": "North", "hospitals": RECORDS}]}]},
        # Only the list itself is called so.
        {"fields": RECORDS},
    ],
)
def test_the_records_are_found_beside_the_descriptions_of_their_columns(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(document))
    records = [row.record for row in HospitalFile.open(path).rows()]
    assert [(it.hospital_name, it.county, it.beds) for it in records if it is not None] == [
        ("Oak", "Aveda", 12),
        ("Elm", "Brusk", 20),
    ]


def test_a_record_with_objects_is_one_record(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"hospital": {"name": "Oak"}, "address": {"city": "Aveda"}}))
    (row,) = HospitalFile.open(path).rows()
    assert row.record is not None
    assert (row.record.hospital_name, row.record.city) == ("Oak", "Aveda")


def test_the_place_that_a_list_stands_below_is_a_column_and_what_is_counted_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    regions = [{"name": it, "beds": 99, "hospitals": [{"name": "Oak"}]} for it in ("North", "South")]
    path.write_text(json.dumps({"regions": regions}))
    for wish in (None, "regions[].hospitals"):
        file = HospitalFile.open(path, FileWishes(reading=Wishes(records=wish)))
        records = [row.record for row in file.rows()]
        assert [(it.hospital_name, it.state, it.beds) for it in records if it is not None] == [
            ("Oak", "North", None),
            ("Oak", "South", None),
        ]
    with pytest.raises(FileError, match=r"its lists are at 'regions', 'regions\[\].hospitals'"):
        HospitalFile.open(path, FileWishes(reading=Wishes(records="hospitals")))


def test_departments_of_hospitals_are_no_hospitals(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    wards = [{"name": "Surgery"}, {"name": "Eyes"}]
    path.write_text(json.dumps([{"name": it, "city": "Aveda", "clinics": wards} for it in ("Oak", "Elm")]))
    file = HospitalFile.open(path)
    assert [row.record.hospital_name for row in file.rows() if row.record is not None] == ["Oak", "Elm"]
    assert not file.unread


UNITS = [{"id": f"u{at}", "name": name} for at, name in enumerate(("Oak Hospital", "Elm Clinic", "Ash Dispensary"))]


def test_the_hospitals_of_a_tree_are_its_leaves_if_these_alone_are_called_so(tmp_path: Path) -> None:
    """Units of DHIS2 have the same keys at every level."""
    path = tmp_path / "list.json"
    tree = [{"id": "z1", "name": "East", "children": [{"id": "d1", "name": "Aveda", "children": UNITS}]}]
    path.write_text(json.dumps({"units": [*tree, {"id": "z2", "name": "West", "children": []}]}))
    file = HospitalFile.open(path)
    assert file.dialect.records == "units[].children[].children"
    assert [row.record.hospital_name for row in file.rows() if row.record is not None] == [
        it["name"] for it in UNITS
    ]
    # What stands at another level may be a hospital, too, so the command does not end as if all were read.
    assert list(file.unread) == ["units"]


@pytest.mark.parametrize(
    ("above", "below"), [("Oak Hospital", "Elm Clinic"), ("Oak Hospital", "Surgery"), ("Oak", "Surgery")]
)
def test_a_tree_is_read_from_its_root_if_its_leaves_may_be_departments(
    tmp_path: Path, above: str, below: str
) -> None:
    path = tmp_path / "list.json"
    path.write_text(
        json.dumps([{"id": f"h{at}", "name": above, "children": [{"id": "d", "name": below}]} for at in "12"])
    )
    names = [row.record.hospital_name for row in HospitalFile.open(path).rows() if row.record is not None]
    assert names == [above] * 2


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('{"name":"Oak"}{"name":"Elm"}', 2),
        ('{"name":"Oak"}""""{"name":"Elm"}nullnullnull', 2),
        ('{"name":"Oak"}[1, 2]{"name":"Elm"}', 2),
        ('[{"name":"Oak"}, null, "x", 5, true, {"name":"Elm"}, [1]]', 2),
        ('{"hospitals":[{"name":"Oak"}, null, null, null, {"name":"Elm"}]}', 2),
    ],
)
def test_values_that_are_no_records_are_rows_too(tmp_path: Path, text: str, records: int) -> None:
    """A command says of how many rows it has read which."""
    path = tmp_path / "list.json"
    path.write_text(text)
    file = HospitalFile.open(path)
    rows = list(file.rows())
    assert [row.line for row in rows] == list(range(1, file.lines + 1))
    assert sum(row.record is not None for row in rows) == records
