"""The forms in which hospitals are shown and exported: JSON, CSV and GeoJSON."""

from typing import Literal

from worker.commands.streaming import Form, csv_cell, csv_row, json_line
from worker.mongo.client import Document
from worker.mongo.plain_json import public

ExportFormat = Literal["csv", "ndjson", "geojson"]

_COLUMNS = (
    "hospital_id", "hospital_name", "hospital_type", "status", "source", "external_id", "address", "city", "state",
    "postal_code", "county", "country", "phone", "ownership", "emergency_services", "beds", "latitude", "longitude",
    "local_id", "attributes", "revision", "observed_at", "created_at", "updated_at", "created_by_job", "import",
)  # fmt: skip


def _csv_line(hospital: Document) -> str:
    longitude, latitude = _coordinates(hospital) or ("", "")
    values = public(hospital) | {"longitude": longitude, "latitude": latitude}
    return csv_row(csv_cell(values.get(column)) for column in _COLUMNS)


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
    "csv": Form(_csv_line, before=csv_row(_COLUMNS)),
    "ndjson": Form(lambda hospital: json_line(public(hospital)) + "\n"),
    "geojson": Form(_feature, before='{"type":"FeatureCollection","features":[\n', between=",\n", after="\n]}\n"),
}
