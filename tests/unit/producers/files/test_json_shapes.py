"""Where the records of a JSON document are, beside what describes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import HospitalFile

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
