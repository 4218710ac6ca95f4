"""Positions that are judged by where the other hospitals of the list are."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from producers.files import HospitalFile

SWAPPED = "is far from all others; perhaps latitude and longitude are swapped"
COLUMNS = pytest.mark.parametrize("columns", ["coordinates", "lat;lon"])


def left_out(path: Path, columns: str, positions: Sequence[tuple[object, object]]) -> list[tuple[str, str]]:
    """Return the name and the reason of each position that is left out of a list."""
    joined = "{};{}" if columns == "lat;lon" else "{}, {}"
    rows = [f"Clinic {number};{joined.format(*position)}" for number, position in enumerate(positions)]
    path.write_text("\n".join([f"name;{columns}", *rows]) + "\n")
    rows_read = HospitalFile.open(path).rows()
    return [(str(row.fields["name"]), it.reason) for row in rows_read for it in row.left_out]


@COLUMNS
@pytest.mark.parametrize("count", [4, 5, 10, 18, 30])
def test_a_swapped_position_is_found_by_its_neighbours(count: int, columns: str, tmp_path: Path) -> None:
    right = [(f"{40 + place / 10:.3f}", f"{-75 - place / 10:.3f}") for place in range(count)]
    found = left_out(tmp_path / "list.csv", columns, [*right, ("-75.03", "40.03")])
    assert found == [(f"Clinic {count}", SWAPPED)]


@COLUMNS
@pytest.mark.parametrize(
    "positions",
    [
        # Cairo, where latitude and longitude are alike, with Alexandria, Aswan, Siwa and Hurghada.
        [*[(30.05, 31.25)] * 6, (31.2, 29.92), (24.09, 32.9), (29.2, 25.52), (27.26, 33.81)],
        # Towns all over the world.
        [(51.5, -0.1), (35.7, 139.7), (-33.9, 151.2), (40.7, -74.0), (-1.3, 36.8), (1.3, 103.8)],
        # Nigeria, from Lagos to Maiduguri.
        [(6.5, 3.4), (6.6, 3.3), (6.5, 3.5), (6.4, 3.4), (6.5, 3.3), (11.8, 13.2), (9.1, 7.4)],
    ],
)
def test_hospitals_far_from_the_others_of_a_short_list_stay(
    positions: list[tuple[float, float]], columns: str, tmp_path: Path
) -> None:
    assert left_out(tmp_path / "list.csv", columns, positions) == []
