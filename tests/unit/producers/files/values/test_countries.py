import pytest

from producers.files.values import RowReader, ValueWishes, choose_readers
from producers.files.values.countries import Place, place_in_country
from tests.support.columns import Mapped, Row

MAPPED = [
    Mapped("hospital_name", ("n",)),
    Mapped("country", ("c",)),
    Mapped("latitude", ("lat",)),
    Mapped("longitude", ("lon",)),
]


@pytest.mark.parametrize(
    ("latitude", "longitude", "country", "place"),
    [
        (28.6, 77.2, "India", "inside"),
        (77.2, 28.6, "India", "swapped"),
        (77.2, 28.6, "IN", "swapped"),
        (77.2, 28.6, "ind", "swapped"),
        (41.9, 12.5, "Italy", "inside"),
        (12.5, 41.9, "ITALIA", "swapped"),
        (-6.5, 36.8, "United Republic of Tanzania", "inside"),
        (36.8, -6.5, "Tanzania", "swapped"),
        (6.5, 36.8, "Tanzania", "outside"),
        (4.9, -52.3, "France", "inside"),
        (28.1, -15.4, "Spain", "outside"),
        (35.7, 139.7, "日本", "inside"),
        (55.7, 37.6, "Россия", "inside"),
        (5.3, -4.0, "Côte d'Ivoire", "inside"),
        (12.5, 41.9, "Atlantis", "inside"),
        (12.5, 41.9, "", "inside"),
    ],
)
def test_a_position_is_compared_with_its_country(
    latitude: float, longitude: float, country: str, place: Place
) -> None:
    assert place_in_country((latitude, longitude), country) == place


def test_a_swapped_position_is_left_out_and_one_outside_is_noted() -> None:
    reader = RowReader(MAPPED, choose_readers(MAPPED, {}, ValueWishes()))
    swapped = reader.read(Row({"n": "A", "c": "Italy", "lat": "12.5", "lon": "41.9"}, line=2))
    outside = reader.read(Row({"n": "B", "c": "Spain", "lat": "28.1", "lon": "-15.4"}, line=3))
    assert [(it.field, it.column, it.value, it.reason) for it in swapped.left_out] == [
        (
            "location",
            "lat + lon",
            "12.5 | 41.9",
            "is outside of its country; perhaps latitude and longitude are swapped",
        )
    ]
    assert outside.record is not None
    assert outside.record.location is not None
    assert not outside.left_out
    assert reader.notes() == ["location: outside of the row's country (1 cell, first in line 3)"]
