"""The forms in which hospitals are shown and exported: JSON, CSV and GeoJSON."""

import csv
import io
from typing import Any, Literal

from worker.commands.streaming import Form, json_line
from worker.escaping import escape
from worker.mongo.client import Document

ExportFormat = Literal["csv", "ndjson", "geojson"]

_COLUMNS = (
    "hospital_id", "hospital_name", "hospital_type", "status", "source", "external_id", "address", "city", "state",
    "postal_code", "county", "country", "phone", "ownership", "emergency_services", "beds", "latitude", "longitude",
    "local_id", "attributes", "revision", "observed_at", "created_at", "updated_at", "created_by_job", "import",
)  # fmt: skip


def public(hospital: Document) -> Document:
    """Return a stored hospital under the names that outcomes use: `hospital_id` for `_id`."""
    return {"hospital_id": hospital["_id"], **{name: hospital[name] for name in hospital if name != "_id"}}


def _csv_row(cells: Any) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(cells)
    return row.getvalue()


def _csv_line(hospital: Document) -> str:
    longitude, latitude = _coordinates(hospital) or ("", "")
    values = public(hospital) | {"longitude": longitude, "latitude": latitude}
    # As in the rows to correct of an import, nothing is put before `=` or `-`: the list may be loaded again.
    return _csv_row(_cell(values.get(column)) for column in _COLUMNS)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return escape(value)
        case bool() | dict() | list():
            return json_line(value)
        case int() | float():
            return str(value)
    return json_line(value).strip('"')


def _feature(hospital: Document) -> str:
    point = _coordinates(hospital)
    properties = {name: value for name, value in public(hospital).items() if name != "location"}
    feature = {
        "type": "Feature",
        "id": properties["hospital_id"],
        "geometry": {"type": "Point", "coordinates": point} if point else None,
        "properties": properties,
    }
    return json_line(feature)


def _coordinates(hospital: Document) -> tuple[float, float] | None:
    """Return longitude and latitude; `None` if they are not known, or another program wrote something else."""
    match hospital.get("location"):
        case {"coordinates": [int() | float() as longitude, int() | float() as latitude]}:
            return longitude, latitude
    return None


EXPORT_FORMS: dict[ExportFormat, Form] = {
    "csv": Form(_csv_line, before=_csv_row(_COLUMNS)),
    "ndjson": Form(lambda hospital: json_line(public(hospital)) + "\n"),
    "geojson": Form(_feature, before='{"type":"FeatureCollection","features":[\n', between=",\n", after="\n]}\n"),
}
