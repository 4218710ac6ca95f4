"""Coordinate systems that agree with WGS 84."""

import pytest

from producers.files.systems import has_latitude_first, is_wgs_84


@pytest.mark.parametrize(
    ("system", "agrees", "latitude_first"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", True, False),
        ("urn:ogc:def:crs:OGC::CRS83", True, False),
        ("EPSG:4326", True, True),
        ("urn:ogc:def:crs:EPSG::4674", True, True),
        ("http://www.opengis.net/def/crs/EPSG/0/4258", True, True),
        ("4490", True, True),
        # Metres, other degrees, and names without a number.
        ("urn:ogc:def:crs:EPSG::3857", False, False),
        ("EPSG:14326", False, False),
        ("EPSG:4301", False, False),
        ("EPSG:4230", False, False),
        ("GCS_Tokyo", False, False),
        ("None", False, False),
    ],
)
def test_a_system_agrees_with_wgs_84_by_its_number(system: str, agrees: bool, latitude_first: bool) -> None:
    assert (is_wgs_84(system), has_latitude_first(system)) == (agrees, latitude_first)
