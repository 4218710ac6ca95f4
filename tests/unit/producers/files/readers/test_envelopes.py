"""Records as databases and services wrap them, and values with their types beside them."""

import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.readers.envelopes import unwrapped
from producers.files.readers.records import flattened

RECORDS = [
    {"code": "H-7", "name": "Oak", "city": "Aveda", "beds": 12},
    {"code": "H-9", "name": "Elm", "city": "Brusk", "beds": 20},
    {"code": "H-4", "name": "Ash", "city": "Cadia", "beds": 5},
]


def elasticsearch(record: dict[str, Any]) -> dict[str, Any]:
    return {"_index": "hospitals", "_id": f"x{record['beds']}", "_score": 1.0, "_source": record}


def firestore(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"mapValue": {"fields": {key: firestore(it) for key, it in value.items()}}}
    return {"integerValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def document_of_firestore(record: dict[str, Any]) -> dict[str, Any]:
    path = f"projects/p/databases/(default)/documents/hospitals/x{record['beds']}"
    fields = {key: firestore(it) for key, it in record.items()}
    return {"name": path, "fields": fields, "createTime": "2024-01-01T00:00:00Z"}


def dynamo(record: dict[str, Any]) -> dict[str, Any]:
    return {key: {"N": str(it)} if isinstance(it, int) else {"S": it} for key, it in record.items()}


def mongo(record: dict[str, Any]) -> dict[str, Any]:
    number = {"$oid": f"5f00000000000000000000{record['beds']:02}"}
    return {"_id": number, **record, "beds": {"$numberInt": str(record["beds"])}}


def sparql(record: dict[str, Any]) -> dict[str, Any]:
    return {key: {"type": "literal", "value": str(it)} for key, it in record.items()}


def lines(*objects: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, objects)) + "\n"


DOCUMENTS = {
    "elasticdump.json": lines(*map(elasticsearch, RECORDS)),
    "search.json": json.dumps(
        {"took": 3, "hits": {"total": {"value": 3, "relation": "eq"}, "hits": [*map(elasticsearch, RECORDS)]}}
    ),
    "couchdb.json": json.dumps(
        {
            "total_rows": 3,
            "offset": 0,
            "rows": [
                {"id": it["code"], "key": it["code"], "value": {"rev": "1-a"}, "doc": {"_rev": "1-a", **it}}
                for it in RECORDS
            ],
        }
    ),
    "typesense.json": json.dumps(
        {"found": 3, "hits": [{"document": it, "highlights": [], "text_match": 1} for it in RECORDS], "page": 1}
    ),
    "view_of_couchdb.json": json.dumps({"rows": [{"id": "x", "key": it["city"], "value": it} for it in RECORDS]}),
    "firestore.json": json.dumps({"documents": [*map(document_of_firestore, RECORDS)]}),
    "export_of_dynamo.json": lines(*({"Item": dynamo(it)} for it in RECORDS)),
    "scan_of_dynamo.json": json.dumps({"Items": [*map(dynamo, RECORDS)], "Count": 3, "ScannedCount": 3}),
    "mongoexport.json": lines(*map(mongo, RECORDS)),
    "array_of_mongoexport.json": json.dumps([*map(mongo, RECORDS)]),
    "jsonapi.json": json.dumps(
        {
            "data": [
                {
                    "type": "hospitals",
                    "id": str(at),
                    "attributes": it,
                    "relationships": {"region": {"data": {"type": "regions", "id": "1"}}},
                    "links": {"self": f"/hospitals/{at}"},
                }
                for at, it in enumerate(RECORDS)
            ],
            "included": [
                {"type": "regions", "id": str(at), "attributes": {"name": f"Region {at}"}} for at in range(5)
            ],
        }
    ),
    "odata4.json": json.dumps(
        {
            "@odata.context": "https://h.example/$metadata#Hospitals",
            "value": [{"@odata.etag": "1", **it} for it in RECORDS],
        }
    ),
    "odata2.json": json.dumps(
        {
            "d": {
                "results": [
                    {
                        "__metadata": {"id": f"https://h.example/H({it['beds']})", "type": "H"},
                        **it,
                        "Wards": {"__deferred": {"uri": f"https://h.example/H({it['beds']})/Wards"}},
                    }
                    for it in RECORDS
                ]
            }
        }
    ),
    "hal.json": json.dumps(
        {
            "_embedded": {
                "hospitals": [{**it, "_links": {"self": {"href": f"/h/{it['beds']}"}}} for it in RECORDS]
            },
            "_links": {"self": {"href": "/hospitals"}},
            "page": {"size": 20, "totalElements": 3, "totalPages": 1, "number": 0},
        }
    ),
    "sparql.json": json.dumps({"head": {"vars": [*RECORDS[0]]}, "results": {"bindings": [*map(sparql, RECORDS)]}}),
    "graphql.json": json.dumps(
        {
            "data": {
                "hospitals": {
                    "edges": [{"cursor": f"c{it['beds']}", "node": it} for it in RECORDS],
                    "pageInfo": {"hasNextPage": False},
                }
            }
        }
    ),
    "nodes_of_graphql.json": json.dumps({"data": {"hospitals": {"nodes": RECORDS}}}),
}


def opened(folder: Path, text: str) -> HospitalFile:
    path = folder / "list.json"
    path.write_text(text)
    return HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="moh")))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_records_are_read_as_if_nothing_were_around_them(tmp_path: Path, name: str) -> None:
    file = opened(tmp_path, DOCUMENTS[name])
    known = [row.known for row in file.rows() if row.known is not None]
    assert [(it["external_id"], it["hospital_name"], it["city"], it["beds"]) for it in known] == [
        (it["code"], it["name"], it["city"], it["beds"]) for it in RECORDS
    ]
    assert not [note for note in file.notes if "page of a longer list" in note]
    assert not file.unread


def test_the_identifier_of_an_envelope_is_used_if_the_record_has_none(tmp_path: Path) -> None:
    bare = [{key: it[key] for key in it if key != "code"} for it in RECORDS]
    for around in (elasticsearch, document_of_firestore):
        file = opened(tmp_path, lines(*map(around, bare)))
        assert [row.known["external_id"] for row in file.rows() if row.known] == ["x12", "x20", "x5"]


def test_departments_within_wrapped_records_are_no_hospitals(tmp_path: Path) -> None:
    wards = [{"name": "Surgery"}, {"name": "Eyes"}, {"name": "Teeth"}]
    whole = [{**it, "departments": wards} for it in RECORDS]
    for text in (
        json.dumps({"hits": {"hits": [*map(elasticsearch, whole)]}}),
        json.dumps({"data": {"hospitals": {"edges": [{"node": it} for it in whole]}}}),
    ):
        names = [row.known["hospital_name"] for row in opened(tmp_path, text).rows() if row.known]
        assert names == ["Oak", "Elm", "Ash"]


def test_hospitals_of_regions_are_read_through_the_edges_of_graphql(tmp_path: Path) -> None:
    regions = [
        {"node": {"name": region, "hospitals": {"edges": [{"node": it} for it in its]}}}
        for region, its in (("North", RECORDS[:2]), ("South", RECORDS[2:]))
    ]
    file = opened(tmp_path, json.dumps({"data": {"regions": {"edges": regions}}}))
    known = [row.known for row in file.rows() if row.known is not None]
    assert [(it["hospital_name"], it["state"]) for it in known] == [
        ("Oak", "North"),
        ("Elm", "North"),
        ("Ash", "South"),
    ]


@pytest.mark.parametrize(
    ("record", "row"),
    [
        # Values of MongoDB.
        (
            {
                "_id": {"$oid": "5f"},
                "at": {"$date": {"$numberLong": "1577836800000"}},
                "lat": {"$numberDouble": "1.5"},
            },
            {"_id": "5f", "at": 1577836800000, "lat": 1.5},
        ),
        (
            {"at": {"$date": "2020-01-01T00:00:00Z"}, "x": {"$numberDouble": "NaN"}, "y": {"$undefined": True}},
            {"at": "2020-01-01T00:00:00Z", "x": None, "y": None},
        ),
        (
            {"location": {"type": "Point", "coordinates": [{"$numberDouble": "-97.5"}, {"$numberInt": "30"}]}},
            {"location": {"type": "Point", "coordinates": [-97.5, 30]}},
        ),
        ({"a": {"b": {"$numberInt": "3"}}, "c": {"$numberInt": "4"}}, {"a.b": 3, "c": 4}),
        # Values of Firestore.
        (
            {
                "name": "projects/p/documents/h/7",
                "fields": {
                    "name": {"stringValue": "Oak"},
                    "location": {"geoPointValue": {"latitude": 1.5, "longitude": 2.5}},
                    "address": {"mapValue": {"fields": {"city": {"stringValue": "Aveda"}}}},
                    "open": {"booleanValue": True},
                    "closed": {"nullValue": None},
                    "tags": {"arrayValue": {"values": [{"stringValue": "a"}, {"integerValue": "2"}]}},
                    "none": {"arrayValue": {}},
                },
            },
            {
                "_id": "7",
                "name": "Oak",
                "location": {"latitude": 1.5, "longitude": 2.5},
                "address.city": "Aveda",
                "open": True,
                "closed": None,
                "tags": ["a", 2],
                "none": None,
            },
        ),
        # No envelopes, although they look alike.
        (
            {"name": "Oak", "fields": {"city": "Aveda"}, "createTime": "2024"},
            {"name": "Oak", "fields.city": "Aveda", "createTime": "2024"},
        ),
        ({"_source": {"name": "Oak"}, "name": "Elm"}, {"_source.name": "Oak", "name": "Elm"}),
        ({"id": "7", "key": "7", "value": {"rev": "1-a"}}, {"id": "7", "key": "7", "value.rev": "1-a"}),
        ({"node": 7, "tags": {"name": "Oak"}}, {"node": 7, "tags.name": "Oak"}),
        ({"name": "Oak", "size": {"S": "12"}, "city": "Aveda"}, {"name": "Oak", "size.S": "12", "city": "Aveda"}),
    ],
)
def test_values_have_no_types_and_other_records_stay(record: dict[str, Any], row: dict[str, Any]) -> None:
    assert flattened(record) == row


def test_a_record_without_an_envelope_is_not_copied() -> None:
    record = {"name": "Oak", "address": {"city": "Aveda"}}
    assert unwrapped(record) is record


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"hits": {"total": {"value": 10000, "relation": "gte"}, "hits": [*map(elasticsearch, RECORDS)]}},
            "10,000 records, and has 3",
        ),
        ({"hits": RECORDS, "nbHits": 90, "page": 0, "hitsPerPage": 3}, "90 records, and has 3"),
        ({"hits": {"total": 70, "hits": [*map(elasticsearch, RECORDS)]}}, "70 records, and has 3"),
        ({"_embedded": {"hospitals": RECORDS}, "page": {"size": 3, "totalElements": 61}}, "61 records, and has 3"),
        ({"documents": [*map(document_of_firestore, RECORDS)], "nextPageToken": "secret"}, "names a next page"),
        ({"data": {"hospitals": {"nodes": RECORDS, "pageInfo": {"hasNextPage": True}}}}, "(hasNextPage)"),
        ({"items": RECORDS, "hasMore": True}, "(hasMore)"),
        ({"items": RECORDS, "hasMore": False}, ""),
        (
            {"records": [{"id": it["code"], "fields": it} for it in RECORDS], "offset": "itr/secret"},
            "names a next page",
        ),
        ({"records": RECORDS, "offset": "0"}, ""),
        (
            {"Items": [*map(dynamo, RECORDS)], "Count": 3, "LastEvaluatedKey": {"code": {"S": "secret"}}},
            "(LastEvaluatedKey)",
        ),
    ],
)
def test_a_page_of_such_a_document_is_noted(tmp_path: Path, document: dict[str, Any], said: str) -> None:
    file = opened(tmp_path, json.dumps(document))
    found = [note for note in file.notes if "page of a longer list" in note]
    assert [said in note and "secret" not in note for note in found] == [True] * bool(said)
    assert bool(file.unread) is bool(said)


def test_rows_within_one_record_are_not_taken_for_its_details(tmp_path: Path) -> None:
    rows = [[*it.values()] for it in RECORDS]
    table = {"name": "Hospitals", "headers": [*RECORDS[0]], "rowSet": rows}
    with pytest.raises(FileError, match=r"has its records in lists within lists \(resultSets\[\].rowSet\)"):
        opened(tmp_path, json.dumps({"resultSets": [table]}))
