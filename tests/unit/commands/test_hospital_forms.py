import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from worker.commands.hospital_forms import EXPORT_FORMS
from worker.mongo.validators import HOSPITALS_VALIDATOR

AT = datetime(2026, 6, 30, 12, 0, 0, 123_000, tzinfo=UTC)
FULL: dict[str, Any] = {
    "_id": "cms:1",
    "hospital_name": '=cmd|"x", Süd',
    "emergency_services": True,
    "beds": 12,
    "location": {"type": "Point", "coordinates": [-73.5, 41.25]},
    "attributes": {"rating": 4.5, "owner": "county"},
    "created_at": AT,
}


def row(hospital: dict[str, Any]) -> dict[str, str]:
    """Return the cells of a hospital by column, as a reader of CSV sees them."""
    form = EXPORT_FORMS["csv"]
    (found,) = csv.DictReader(io.StringIO(form.before + form.line(hospital)))
    return {column: cell for column, cell in found.items() if cell}


def test_a_row_of_csv_has_each_value_unchanged() -> None:
    assert row(FULL) == {
        "hospital_id": "cms:1",
        "hospital_name": '=cmd|"x", Süd',
        "emergency_services": "true",
        "beds": "12",
        "latitude": "41.25",
        "longitude": "-73.5",
        "attributes": '{"rating":4.5,"owner":"county"}',
        "created_at": "2026-06-30T12:00:00.123Z",
    }


def test_csv_has_a_column_for_every_field_that_is_stored() -> None:
    fields = set(HOSPITALS_VALIDATOR["$jsonSchema"]["properties"])
    columns = set(EXPORT_FORMS["csv"].before.strip().split(","))
    assert fields - columns == {"_id", "location", "applied_jobs"}
    assert columns - fields == {"hospital_id", "latitude", "longitude"}


def test_a_feature_of_geojson_has_its_point_and_all_other_fields() -> None:
    form = EXPORT_FORMS["geojson"]
    lines = form.line(FULL) + form.between + form.line({"_id": "name:x"})
    first, second = json.loads(form.before + lines + form.after)["features"]
    assert (first["type"], first["id"]) == ("Feature", "cms:1")
    assert first["geometry"] == {"type": "Point", "coordinates": [-73.5, 41.25]}
    assert (first["properties"]["beds"], "location" in first["properties"]) == (12, False)
    assert second == {"type": "Feature", "id": "name:x", "geometry": None, "properties": {"hospital_id": "name:x"}}


@pytest.mark.parametrize("export_format", list(EXPORT_FORMS))
def test_what_another_program_wrote_is_exported_as_text_without_control_codes(export_format: Any) -> None:
    damaged = {
        "_id": ObjectId("0123456789abcdef01234567"),
        "hospital_name": "\x1b[31mred\x9b\nnext",
        "location": {"coordinates": ["north", None]},
        "beds": {"total": 3},
        "attributes": "none",
        "observed_at": DatetimeMS(2**62),
        "other": b"\x00",
    }
    form = EXPORT_FORMS[export_format]
    line = form.line(damaged)
    assert line.rstrip("\n").isprintable()
    assert "0123456789abcdef01234567" in line
    assert str(2**62) in line
