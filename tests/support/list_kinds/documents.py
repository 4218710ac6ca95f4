"""Lists that are no tables: GeoJSON, JSON and KML."""

import json

from tests.support.list_kinds.model import COUNTS, ONLY_LOCAL, Kind, point, row

_FEATURES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"osm_id": "1", "name": "Larch Hospital", "addr:city": "Dorn"},
            "geometry": {"type": "Point", "coordinates": [8.5, 40.5]},
        },
        {
            "type": "Feature",
            "properties": {"osm_id": "2", "name": "Hazel Hospital"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[9, 41], [9.5, 41], [9.5, 41.5], [9, 41.5], [9, 41]]],
            },
        },
    ],
}
_OF_FEATURES = (
    row(1, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn", location=point(40.5, 8.5)),
    row(2, "name:hazel hospital", "Hazel Hospital", location=point(41.25, 9.25)),
)
_WRAPPED = {
    "success": True,
    "data": [
        {"Facility name": "Larch Hospital", "Latitude": 40.5, "Longitude": 8.5},
        {"Facility name": "Hazel Hospital", "Latitude": 41.5, "Longitude": 9.5},
    ],
}
_ARRAY = [
    {"id": "k", "name": "Larch Hospital", "lat": 40.5, "lng": 8.5},
    {"id": "m", "name": "Hazel Hospital", "lat": 41.5, "lng": 9.5},
]
_PLACEMARKS = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>\n'
    b"<Placemark><name>Larch Hospital</name><Point><coordinates>8.5,40.5,0</coordinates></Point></Placemark>\n"
    b"</Document></kml>\n"
)

_WITH_DEGREES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": name, "lat": latitude, "lon": longitude},
            "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        }
        for name, latitude, longitude in (("Larch Hospital", 40.5, 8.5), ("Hazel Hospital", 41.5, 9.5))
    ],
}

_IN_METRES = {
    "spatialReference": {"wkid": 102100, "latestWkid": 3857},
    "features": [
        {"attributes": {"NAME": name, "CITY": city}, "geometry": {"x": 946000.5, "y": 4940000.5}}
        for name, city in (("Larch Hospital", "Dorn"), ("Hazel Hospital", "Elst"))
    ],
}

_DUMPED = [
    {"_index": "h", "_id": identifier, "_score": 1, "_source": {"name": name, "city": city, "beds": beds}}
    for identifier, name, city, beds in (
        ("h-7", "Larch Hospital", "Dorn", 12),
        ("h-9", "Hazel Hospital", "Elst", 20),
    )
]

DOCUMENTS = (
    Kind(
        name="25_geojson_one_line",
        file="25.geojson",
        content=json.dumps(_FEATURES).encode(),
        rows=_OF_FEATURES,
        columns_left_out=("osm_id",),
        notes=(f"osm_id {COUNTS}",),
    ),
    Kind(
        name="26_geojson_many_lines",
        file="26.geojson",
        content=json.dumps(_FEATURES, indent=1).encode(),
        rows=_OF_FEATURES,
        columns_left_out=("osm_id",),
        notes=(f"osm_id {COUNTS}",),
    ),
    Kind(
        # Degrees in the properties too: no field misses its column, so there is nothing to say.
        name="25_geojson_one_line, with degrees",
        file="25-degrees.geojson",
        content=json.dumps(_WITH_DEGREES).encode(),
        rows=(
            row(1, "name:larch hospital", "Larch Hospital", location=point(40.5, 8.5)),
            row(2, "name:hazel hospital", "Hazel Hospital", location=point(41.5, 9.5)),
        ),
        columns_left_out=("location",),
    ),
    Kind(
        name="27_json_wrapped",
        file="27.json",
        content=json.dumps(_WRAPPED, indent=2).encode(),
        rows=(
            row(1, "name:larch hospital", "Larch Hospital", location=point(40.5, 8.5)),
            row(2, "name:hazel hospital", "Hazel Hospital", location=point(41.5, 9.5)),
        ),
        notes=("the records are at 'data'",),
    ),
    Kind(
        name="28_json_array",
        file="28.json",
        content=json.dumps(_ARRAY, indent=2).encode(),
        rows=(
            row(1, "name:larch hospital", "Larch Hospital", local_id="k", location=point(40.5, 8.5)),
            row(2, "name:hazel hospital", "Hazel Hospital", local_id="m", location=point(41.5, 9.5)),
        ),
        notes=(f"id {ONLY_LOCAL}",),
    ),
    Kind(
        name="29_kml",
        file="29.kml",
        content=_PLACEMARKS,
        refusal=("is KML", "ogr2ogr -f GeoJSON OUT.geojson 29.kml"),
        code=2,
    ),
    Kind(
        name="29_kml, other XML",
        file="29.xml",
        content=b'<?xml version="1.0"?>\n<list><hospital><name>Larch Hospital</name></hospital></list>\n',
        refusal=("is XML",),
        code=2,
    ),
    Kind(
        name="46_arcgis_in_metres",
        file="46.json",
        content=json.dumps(_IN_METRES).encode(),
        rows=(
            row(1, "name:larch hospital CITY dorn", "Larch Hospital", city="Dorn"),
            row(2, "name:hazel hospital CITY elst", "Hazel Hospital", city="Elst"),
        ),
        notes=("the records are at 'features'", "its coordinates are in EPSG:3857, not WGS 84, and are left out"),
    ),
    Kind(
        name="49_dump_of_elasticsearch",
        file="49.json",
        content=b"".join(json.dumps(it).encode() + b"\n" for it in _DUMPED),
        options=("--source", "moh"),
        rows=(
            row(1, "moh:h-7", "Larch Hospital", source="moh", external_id="h-7", city="Dorn", beds=12),
            row(2, "moh:h-9", "Hazel Hospital", source="moh", external_id="h-9", city="Elst", beds=20),
        ),
    ),
)
