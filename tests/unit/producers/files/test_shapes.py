import math
from datetime import UTC, date, datetime

import pytest

from producers.files.shapes import Shape, shapes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", set()),
        ("120", {"number", "integer", "digits", "longitude"}),
        ("45", {"number", "integer", "digits", "longitude", "latitude"}),
        ("1425.0", {"number", "integer", "digits", "phone number"}),
        ("-58,5076151", {"number", "decimal comma", "digits", "latitude", "longitude", "phone number"}),
        ("1.234", {"number", "digits", "latitude", "longitude"}),
        ("12 345 678", {"number", "digits", "phone number"}),
        ("1.234,5", {"number", "decimal comma", "digits", "phone number"}),
        ("2019", {"number", "integer", "digits", "year"}),
        ("181.5", {"number", "digits"}),
        ("N 51.1", {"digits", "latitude", "longitude"}),
        ("48°51'24\"N", {"digits", "latitude", "longitude", "phone number"}),
        ("2024-03-01 12:00:00", {"date", "digits"}),
        ("03/04/2024", {"date", "digits"}),
        ("27th April, 2021", {"date", "digits"}),
        ("1 mars 2021", {"date", "digits"}),
        ("20240301", {"date", "digits", "number", "integer"}),
        ("令和6年", {"digits", "text"}),
        ("2024年3月1日", {"date", "digits"}),
        ("11.6357, 92.7120", {"coordinates", "digits"}),
        ("(11.6357,92.7120)", {"coordinates", "digits"}),
        ("POINT(92.7 11.6)", {"coordinates", "digits"}),
        ('{"type": "Point", "coordinates": [1, 2]}', {"coordinates", "digits"}),
        ("12, 5", {"digits"}),
        ("50.0701N, 14.4301E", {"coordinates", "digits"}),
        ("14.401E, 50.001N", {"coordinates", "digits"}),
        ("N 50.0701, E 14.4301", {"coordinates", "digits"}),
        ("50.0701N14.4301E", {"coordinates", "digits"}),
        ("50,0701N 14,4301E", {"coordinates", "digits"}),
        ("N 50 04 01.5 E 14 25 01.3", {"coordinates", "digits"}),
        ("12N 5E", {"digits"}),
        ("yes", {"yes or no", "text"}),
        ("Sí", {"yes or no", "text"}),
        ("○", {"yes or no"}),
        ("0", {"yes or no", "digits", "number", "integer", "latitude", "longitude"}),
        ("https://a.org/x1", {"web address", "digits", "text"}),
        ("www.a.org", {"web address", "text"}),
        ("a@b.org; c@d.org", {"email address", "text"}),
        ("(02) 555-0101", {"digits", "phone number"}),
        ("AA1 1AA", {"digits", "text"}),
        ("North Hospital", {"text"}),
        ("青石桥医院", {"text"}),
        (True, {"yes or no"}),
        (120, {"number", "integer", "digits", "longitude"}),
        (48.85, {"number", "digits", "latitude", "longitude"}),
        (math.nan, {"text"}),
        (date(2024, 3, 1), {"date"}),
        (datetime(2024, 3, 1, tzinfo=UTC), {"date"}),
        ({"type": "Point", "coordinates": [1.0, 2.0]}, {"coordinates"}),
        ([1.0, 2.0], {"coordinates"}),
        ({"Lat": 1.0, "lng": 2.0}, {"coordinates"}),
        ("0101000020E6100000A01A2FDD24265E40DBF97E6ABC744240", {"coordinates", "digits"}),
        ({"floors": 3}, set()),
        (None, set()),
    ],
)
def test_the_shapes_of_a_cell(value: object, expected: set[Shape]) -> None:
    assert shapes(value) == expected
