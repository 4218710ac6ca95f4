"""How the objects of JSON become rows with columns."""

from typing import Any

import pytest

from producers.files.readers.records import feature_row, flattened


@pytest.mark.parametrize(
    ("record", "row"),
    [
        # JSON:API.
        (
            {"type": "hospital", "id": "7", "attributes": {"name": "Oak", "city": "Aveda"}},
            {"type": "hospital", "id": "7", "attributes.name": "Oak", "attributes.city": "Aveda"},
        ),
        # The form of this registry, and lists with such an object beside the name.
        ({"hospital_name": "Oak", "attributes": {"wifi": "yes"}}, None),
        ({"Nombre": "Oak", "attributes": {"name": "Wing B"}}, None),
        # Results of SPARQL.
        (
            {
                "item": {"type": "uri", "value": "http://www.wikidata.org/entity/Q1"},
                "itemLabel": {"xml:lang": "en", "type": "literal", "value": "Oak"},
            },
            {"item": "http://www.wikidata.org/entity/Q1", "itemLabel": "Oak"},
        ),
        ({"phone": {"type": "mobile", "value": "555"}}, {"phone.type": "mobile", "phone.value": "555"}),
        # Solr.
        (
            {"id": "7", "name": ["Oak"], "beds": [12], "tags": ["a", "b"], "wards": [{"name": "Eyes"}], "none": []},
            {"id": "7", "name": "Oak", "beds": 12, "tags": ["a", "b"], "wards": [{"name": "Eyes"}], "none": []},
        ),
        # Overpass: nodes have a position, ways a center.
        (
            {"id": 1, "center": {"lat": 7.1, "lon": 80.1}, "tags": {"name": "Oak"}},
            {"id": 1, "center.lat": 7.1, "center.lon": 80.1, "tags.name": "Oak", "lat": 7.1, "lon": 80.1},
        ),
        (
            {"lat": 1.5, "lon": 2.5, "center": {"lat": 7.1, "lon": 80.1}},
            {"lat": 1.5, "lon": 2.5, "center.lat": 7.1, "center.lon": 80.1},
        ),
        ({"center": {"name": "Oak"}}, {"center.name": "Oak"}),
    ],
)
def test_nested_objects_become_columns(record: dict[str, Any], row: dict[str, Any] | None) -> None:
    assert flattened(record) == (record if row is None else row)


def test_the_attributes_in_the_properties_of_a_feature_are_columns() -> None:
    feature = {
        "type": "Feature",
        "properties": {"osm_id": 5, "attributes": {"name": "Oak", "beds": "12"}},
        "geometry": {"type": "Point", "coordinates": [36.9, -1.2]},
    }
    assert feature_row(feature, locate=True) == {
        "osm_id": 5,
        "attributes.name": "Oak",
        "attributes.beds": "12",
        "location": {"type": "Point", "coordinates": [36.9, -1.2]},
    }


@pytest.mark.parametrize(
    ("description", "columns"),
    [
        (
            "<tr><th a='2'>Of</th></tr><tr><th>NAME</th><td>A &amp; B</td></tr><tr><th>N</th> <td>2</td></tr>",
            {"NAME": "A & B", "N": "2"},
        ),
        ("<TR><TD>City</TD><TD><b>Aveda</b></TD></TR><tr><td>1</td><td>2</td><td>3</td></tr>", {"City": "Aveda"}),
        ("<tr><td>Name</td><td>Other</td></tr>", {}),
        ("Open <b>daily</b>, <text>", {}),
    ],
)
def test_a_table_in_the_description_of_a_feature_is_columns(description: str, columns: dict[str, str]) -> None:
    properties = {"Name": "kml_1", "Description": description}
    assert feature_row({"type": "Feature", "properties": properties}, locate=True) == columns | properties
