"""Lists that count hospitals by country or region are no lists of hospitals."""

import json
from pathlib import Path

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.columns import ColumnWishes

COUNTRIES = ("Ghana", "Kenya", "Peru", "Viet Nam", "France")
AREAS = ("Nord", "Littoral", "Sahel", "Hauts", "Basse")
HOSPITALS = ("Mercy", "St. Luke", "Oak Hill", "Ash Grove", "Elm Park")


def opened(folder: Path, header: str, names: tuple[str, ...], rest: str, **mapping: str) -> HospitalFile:
    path = folder / "list.csv"
    path.write_text("\n".join([header, *(f"{name},{rest.format(at)}" for at, name in enumerate(names, 10))]) + "\n")
    return HospitalFile.open(path, FileWishes(columns=ColumnWishes(mapping=mapping)))


@pytest.mark.parametrize(
    ("header", "names", "rest"),
    [
        ("label,total", COUNTRIES, "{0}"),
        ("name,beds,doctors", COUNTRIES, "{0},{0}1"),
        ("Name,Capital,Hospitals", COUNTRIES, "City {0},{0}"),
        ("label,total", AREAS, "{0}"),
        ("name,hospitals", AREAS, "{0}"),
        ("name,number of hospitals,2023", AREAS, "{0},{0}"),
        ("Name,Count", AREAS, "{0}"),
        ("name,Value", AREAS, "{0}.5"),
        ("name,beds", tuple(f"{name} Region" for name in AREAS), "{0}"),
        ("Nom,Lits", tuple(f"Région {name}" for name in AREAS), "{0}"),
    ],
)
def test_statistics_are_refused(tmp_path: Path, header: str, names: tuple[str, ...], rest: str) -> None:
    with pytest.raises(FileError, match=f"first: {names[0]}.*these are statistics, not hospitals"):
        opened(tmp_path, header, names, rest)
    column = header.partition(",")[0]
    assert opened(tmp_path, header, names, rest, hospital_name=column).columns.columns_of("hospital_name")


def test_statistics_in_json_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"data": [{"label": name, "total": at} for at, name in enumerate(COUNTRIES)]}))
    with pytest.raises(FileError, match="names of countries"):
        HospitalFile.open(path)


@pytest.mark.parametrize(
    ("header", "names", "rest"),
    [
        ("name,beds", HOSPITALS, "{0}"),
        ("Hospital,Total", HOSPITALS, "{0}"),
        ("name,total", ("Mercy Hospital", *HOSPITALS), "{0}"),
        ("name,city,total", HOSPITALS, "Rome,{0}"),
        ("name,No", HOSPITALS, "{0}"),
        ("name,code,total", HOSPITALS, "{0},{0}"),
        ("name,lat,lon,total", HOSPITALS, "45.{0},7.{0},{0}"),
        ("name,phone,total", HOSPITALS, "06123{0},{0}"),
        ("name,beds,city", ("Georgia", "Jordan", *HOSPITALS), "{0},Rome"),
        ("name,country,total", HOSPITALS, "Ghana,{0}"),
    ],
)
def test_hospitals_are_read(tmp_path: Path, header: str, names: tuple[str, ...], rest: str) -> None:
    file = opened(tmp_path, header, names, rest)
    assert sum(row.known is not None for row in file.rows()) == len(names)


@pytest.mark.parametrize("header", ["country,hospitals", "Region,Number of hospitals"])
def test_a_list_without_names_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(FileError, match="has no column for the hospital's name"):
        opened(tmp_path, header, COUNTRIES, "{0}")
