# ruff: noqa: RUF001  (letters of other scripts)
"""Letters of hemispheres of languages in which they mean something else than in English."""

from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.values import ValueWishes
from producers.files.values.letters import letters_of
from tests.support.columns import notes_of, read_column

LETTER = "!has a letter that is not a hemisphere"


@pytest.mark.parametrize(
    ("latitudes", "longitudes", "letters"),
    [
        # Turkish, Hungarian, Croatian, Czech, Vietnamese.
        (["39° 55' K"], ["32° 51' D"], {"K": "N", "D": "E"}),
        (["8 G", "9 K"], ["10 B", "11 D"], {"G": "S", "K": "N", "B": "W", "D": "E"}),
        (["47,5 É"], ["19,1 K"], {"É": "N", "K": "E"}),
        (["45.8 S"], ["15.97 I"], {"S": "N", "I": "E"}),
        (["49.2 S"], ["16.6 V"], {"S": "N", "V": "E"}),
        (["10.5 B"], ["106.7 Đ"], {"B": "N", "Đ": "E"}),
        (["K 39 55"], [], {"K": "N"}),
        # Both readings agree.
        (["45.8 S"], ["15.97 Z"], {"S": "N", "Z": "W"}),
        # Those of English, and of the letters O and L.
        (["33.9 S"], ["18.4 E"], {}),
        (["33.9 S"], ["70.6 W", "3 O", "4 L"], {}),
        (["33.9 S"], [], {}),
        # East in Czech, west in Danish; and letters of no language together.
        ([], ["16.6 V"], {}),
        (["49.2 N"], ["16.6 V"], {}),
        (["39.9 K"], ["32.8 E"], {}),
        # A column of latitudes has no east.
        (["39.9 D"], ["32.8 K"], {}),
        # Degrees, minutes and seconds.
        (["39d 55m 12s"], ["32d 51m 0s"], {}),
    ],
)
def test_all_letters_of_a_file_show_its_language(
    latitudes: list[str], longitudes: list[str], letters: dict[str, str]
) -> None:
    assert letters_of(latitudes, longitudes, []) == letters


@pytest.mark.parametrize(
    ("cell", "position"),
    [
        ("39.92 K, 32.85 D", (39.92, 32.85)),
        ("39°55'12\"K 32°51'00\"D", (39.92, 32.85)),
        ("K 39.92 D 32.85", (39.92, 32.85)),
        ("47.5 É; 19.04 K", (47.5, 19.04)),
        ("45.81 S, 15.97 I", (45.81, 15.97)),
        ("37.975 Β, 23.7475 Α", (37.975, 23.7475)),
        ("33.9 Ν, 18.5 Δ", (-33.9, -18.5)),
        ("49.2 s. š., 16.6 v. d.", (49.2, 16.6)),
        ("47,5 é. sz., 19,04 k. h.", (47.5, 19.04)),
        ("55.67 N, 12.57 Ø", (55.67, 12.57)),
    ],
)
def test_both_coordinates_of_a_cell_may_have_such_letters(cell: str, position: tuple[float, float]) -> None:
    assert read_column("location", [cell]) == [pytest.approx(position)]


def test_letters_that_no_language_has_together_are_left_out() -> None:
    assert read_column("longitude", ["16.6 V"]) == [LETTER]
    # The Z of an altitude.
    assert "is read as" not in notes_of("location", ["POINT Z (2.35 48.85 35)"])


def test_what_letters_mean_is_noted_and_a_profile_says_it() -> None:
    assert "latitude: K is read as N; a profile (inspect --save) says so with latitude.letters" in notes_of(
        "latitude", ["39.92 K"]
    )
    wishes = ValueWishes(settings={"longitude.letters": "V=W, I=E"})
    assert read_column("longitude", ["16.6 V", "15 I"], wishes) == [-16.6, 15.0]


@pytest.mark.parametrize(
    ("header", "row", "position"),
    [
        ("Kurum Adı;Enlem;Boylam", "Oak {0};39° {0}' 12\" K;32° {0}' 00\" D", (32 + 10 / 60, 39.17)),
        ("Νοσοκομείο;Γεωγραφικό Πλάτος;Γεωγραφικό Μήκος", "Oak {0};37,{0} Β;23,{0} Α", (23.1, 37.1)),
        ("Naziv bolnice;geografska širina;geografska dužina", "Oak {0};45.{0} S;15.{0} I", (15.1, 45.1)),
        ("Hastane;Koordinat", "Oak {0};39.{0} K, 32.{0} D", (32.1, 39.1)),
    ],
)
def test_columns_of_such_cells_are_recognised(
    tmp_path: Path, header: str, row: str, position: tuple[float, float]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join([header, *(row.format(number) for number in range(10, 16))]) + "\n", "utf-8")
    first, *_ = HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="moh"))).rows()
    assert first.record is not None
    assert first.record.location is not None
    assert first.record.location.coordinates == pytest.approx(position)
