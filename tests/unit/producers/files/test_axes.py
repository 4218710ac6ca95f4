"""Points of GeoJSON whose coordinates are in the order of EPSG:4326, latitude first."""

import json
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile

# In Rwanda, where both orders are on the earth.
POSITIONS = [(-1.95 - number / 100, 30.06 + number / 100) for number in range(6)]
NAMES_AXES = "urn:ogc:def:crs:EPSG::4326"
TURNED = "the points have latitude first"


def opened(
    folder: Path,
    positions: list[tuple[float, float]],
    *,
    crs: str | None = NAMES_AXES,
    country: str = "",
    wishes: FileWishes | None = None,
) -> HospitalFile:
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"Oak {number}"} | ({"country": country} if country else {}),
            "geometry": {"type": "Point", "coordinates": list(position)},
        }
        for number, position in enumerate(positions)
    ]
    document: dict[str, object] = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    path = folder / "list.geojson"
    path.write_text(json.dumps(document))
    return HospitalFile.open(path, wishes)


def locations(file: HospitalFile) -> list[tuple[float, float]]:
    """Return latitude and longitude of each row."""
    return [
        (row.known["location"]["coordinates"][1], row.known["location"]["coordinates"][0])
        for row in file.rows()
        if row.known is not None and "location" in row.known
    ]


@pytest.mark.parametrize("crs", [NAMES_AXES, None])
def test_the_country_shows_that_latitude_comes_first(tmp_path: Path, crs: str | None) -> None:
    file = opened(tmp_path, POSITIONS, crs=crs, country="Rwanda")
    assert locations(file) == POSITIONS
    assert [note for note in file.notes if TURNED in note and "location.points" in note]


def test_degrees_beyond_90_show_it(tmp_path: Path) -> None:
    # Tokyo.
    positions = [(35.6 + number / 100, 139.7) for number in range(6)]
    assert locations(opened(tmp_path, positions)) == positions
    turned = [(longitude, latitude) for latitude, longitude in positions]
    file = opened(tmp_path, turned)
    assert locations(file) == positions
    assert not [note for note in file.notes if note.startswith("location")]


def test_one_position_that_is_turned_turns_no_others(tmp_path: Path) -> None:
    right = [(30.06 + number / 100, -1.95) for number in range(24)]
    file = opened(tmp_path, [*right, POSITIONS[0]], country="Rwanda")
    assert locations(file) == [(latitude, longitude) for longitude, latitude in right]
    *_, last = file.rows()
    assert "swapped" in last.left_out[0].reason


@pytest.mark.parametrize(
    ("crs", "noted"), [(NAMES_AXES, 1), ("EPSG:4326", 1), ("EPSG:4674", 1), ("urn:ogc:def:crs:OGC:1.3:CRS84", 0)]
)
def test_what_nothing_shows_is_read_as_geojson_with_a_note(tmp_path: Path, crs: str, noted: int) -> None:
    turned = [(longitude, latitude) for latitude, longitude in POSITIONS]
    file = opened(tmp_path, turned, crs=crs)
    assert locations(file) == POSITIONS
    assert len([note for note in file.notes if "longitude first, as GeoJSON has it" in note]) == noted
    known = opened(tmp_path, turned, crs=crs, country="Rwanda")
    assert not [note for note in known.notes if note.startswith("location")]


def test_a_profile_says_it_until_the_rows_show_otherwise(tmp_path: Path) -> None:
    profile = opened(tmp_path, POSITIONS, country="Rwanda").profile
    wishes = FileWishes().by_profile(profile)
    assert profile.values["location.points"] == "latlon"
    assert locations(opened(tmp_path, POSITIONS, wishes=wishes)) == POSITIONS
    turned = [(longitude, latitude) for latitude, longitude in POSITIONS]
    assert locations(opened(tmp_path, turned, country="Rwanda", wishes=wishes)) == POSITIONS
