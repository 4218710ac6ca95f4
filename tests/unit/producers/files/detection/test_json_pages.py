"""A page of a longer list is not taken for the whole list."""

import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.table import Wishes

RECORDS = [{"name": "Clinic A", "city": "Rome"}, {"name": "Clinic B", "city": "Milan"}]
FEATURES = [
    {"type": "Feature", "properties": it, "geometry": {"type": "Point", "coordinates": [9, 45]}} for it in RECORDS
]


def notes(folder: Path, document: object, **wishes: Any) -> tuple[list[str], bool]:
    path = folder / "list.json"
    path.write_text(json.dumps(document))
    file = HospitalFile.open(path, FileWishes(reading=Wishes(**wishes)))
    return [note for note in file.notes if "one page of a longer list" in note], bool(file.unread)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"count": 5000, "next": "https://h.example/?page=2&key=secret", "results": RECORDS},
            "5,000 records, and has 2",
        ),
        ({"@odata.count": 3, "value": RECORDS}, "3 records, and has 2"),
        ({"@odata.nextLink": "https://h.example/skip", "value": RECORDS}, "names a next page"),
        ({"result": {"total": 5000, "limit": 2, "records": RECORDS}}, "5,000 records"),
        ({"response": {"numFound": 70, "docs": RECORDS}}, "70 records"),
        ({"meta": {"pagination": {"total": 7, "per_page": 2}}, "data": RECORDS}, "7 records"),
        ({"links": {"next": {"href": "/hospitals?page=2"}}, "data": RECORDS}, "names a next page"),
        (
            {"type": "FeatureCollection", "exceededTransferLimit": True, "features": FEATURES},
            "exceededTransferLimit",
        ),
        ({"type": "FeatureCollection", "numberMatched": 9, "features": FEATURES}, "9 records"),
    ],
)
def test_a_page_is_noted_and_not_complete(tmp_path: Path, document: object, said: str) -> None:
    found, is_partial = notes(tmp_path, document)
    assert len(found) == 1
    assert said in found[0]
    assert "secret" not in found[0]
    assert is_partial


def test_who_names_the_list_is_told_all_the_same(tmp_path: Path) -> None:
    document = {"count": 3, "next": "/2", "results": RECORDS}
    found, is_partial = notes(tmp_path, document, records="results")
    assert (len(found), is_partial) == (1, False)


@pytest.mark.parametrize(
    "document",
    [
        {"count": 2, "next": None, "results": RECORDS},
        {"total": 2, "limit": 100, "hospitals": RECORDS},
        {"total": 900, "hospitals": RECORDS},
        {"year": 2025, "count": "many", "hospitals": RECORDS},
        {"hospitals": [{**it, "count": 90, "next": "Clinic C"} for it in RECORDS]},
        {"type": "FeatureCollection", "exceededTransferLimit": False, "features": FEATURES},
    ],
)
def test_a_whole_list_is_not_called_a_page(tmp_path: Path, document: object) -> None:
    assert notes(tmp_path, document) == ([], False)
