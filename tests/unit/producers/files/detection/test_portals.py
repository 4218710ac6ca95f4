"""Documents as portals and services write them: Socrata, ArcGIS, FHIR."""

import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.columns import ColumnWishes


def opened(folder: Path, document: Any) -> HospitalFile:
    path = folder / "list.json"
    path.write_text(json.dumps(document))
    return HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="moh")))


def positions(file: HospitalFile) -> list[Any]:
    return [row.known.get("location") if row.known else None for row in file.rows()]


def arcgis(system: dict[str, Any], x: float, y: float) -> dict[str, Any]:
    features = [
        {"attributes": {"OBJECTID": n, "NAME": f"Oak {n}", "CITY": "Aveda"}, "geometry": {"x": x, "y": y}}
        for n in range(4)
    ]
    return {"geometryType": "esriGeometryPoint", "spatialReference": system, "features": features}


def test_places_of_socrata_are_positions(tmp_path: Path) -> None:
    columns = [{"name": name} for name in ("sid", "Hospital Name", "License Number", "Geocoded Location")]
    place = ['{"address": "1 Main", "city": "Aveda"}', "30.25", "-97.7", None, False]
    data = [[f"row-{n}", f"Oak Hospital {n}", f"L{n}", place if n else [None] * 5] for n in range(8)]
    file = opened(tmp_path, {"meta": {"view": {"name": "Hospitals", "columns": columns}}, "data": data})
    point = {"type": "Point", "coordinates": [-97.7, 30.25]}
    assert positions(file) == [None, *[point] * 7]
    assert not [cell for row in file.rows() for cell in row.left_out]


@pytest.mark.parametrize(
    ("system", "named"),
    [({"wkid": 102100, "latestWkid": 3857}, "EPSG:3857"), ({"wkid": 25832}, "EPSG:25832")],
)
def test_positions_of_arcgis_in_metres_are_left_out_with_a_note(
    tmp_path: Path, system: dict[str, int], named: str
) -> None:
    # Near the origin of the system, metres look like degrees.
    file = opened(tmp_path, arcgis(system, 100.0, 50.0))
    assert positions(file) == [None] * 4
    assert [note for note in file.notes if f"coordinates are in {named}, not WGS 84, and are left out" in note]


@pytest.mark.parametrize(
    "system",
    [{"wkid": 4326, "latestWkid": 4326}, {"wkid": 4269}, {"wkid": 104199}, {"wkid": None, "wkt": "GEOGCS"}],
)
def test_positions_of_arcgis_in_degrees_are_read(tmp_path: Path, system: dict[str, Any]) -> None:
    file = opened(tmp_path, arcgis(system, -94.5, 37.25))
    assert positions(file) == [{"type": "Point", "coordinates": [-94.5, 37.25]}] * 4


def test_locations_of_fhir_are_read_by_a_plain_identifier(tmp_path: Path) -> None:
    entries = [
        {
            "fullUrl": f"https://h.example/Location/{n}",
            "resource": {
                "resourceType": "Location",
                "id": f"loc-{n}",
                "identifier": [{"system": "urn:moh", "value": f"F{n}"}],
                "name": f"Oak {n}",
                "address": {"city": "Aveda", "postalCode": f"250{n}"},
            },
        }
        for n in range(4)
    ]
    file = opened(tmp_path, {"resourceType": "Bundle", "total": 4, "entry": entries})
    known = [row.known for row in file.rows() if row.known]
    assert [it["external_id"] for it in known] == ["loc-0", "loc-1", "loc-2", "loc-3"]
    assert [it["city"] for it in known] == ["Aveda"] * 4


def test_the_area_of_a_hospital_in_arcgis_has_a_point_inside(tmp_path: Path) -> None:
    document = arcgis({"wkid": 4326}, 0, 0)
    square = [[8.0, 40.0], [8.0, 42.0], [10.0, 42.0], [10.0, 40.0], [8.0, 40.0]]
    hole = [[8.1, 40.1], [8.2, 40.1], [8.2, 40.2], [8.1, 40.2], [8.1, 40.1]]
    for feature in document["features"]:
        feature["geometry"] = {"rings": [hole, square]}
    (latitude, longitude), *_ = [
        (it["coordinates"][1], it["coordinates"][0]) for it in positions(opened(tmp_path, document))
    ]
    assert (round(latitude, 1), round(longitude, 1)) == (41.0, 9.0)


def test_a_topology_is_refused_because_its_grid_looks_like_degrees(tmp_path: Path) -> None:
    places = [
        {"type": "Point", "coordinates": [n, 40], "properties": {"name": f"Oak Hospital {n}", "city": "Aveda"}}
        for n in range(4)
    ]
    document = {
        "type": "Topology",
        "transform": {"scale": [0.01, 0.01], "translate": [8, 40]},
        "objects": {"hospitals": {"type": "GeometryCollection", "geometries": places}},
        "arcs": [],
    }
    with pytest.raises(FileError, match=r"is TopoJSON; convert it with: ogr2ogr -f GeoJSON OUT.geojson list.json"):
        opened(tmp_path, document)
