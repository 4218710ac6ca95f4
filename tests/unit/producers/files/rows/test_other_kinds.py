"""A register that has pharmacies and schools as well says so in a note."""

from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes


def notes(folder: Path, column: str, kinds: list[str]) -> list[str]:
    rows = [f"F{n:03},Aveda {n} {kind},{kind},Town {n}" for n, kind in enumerate(kinds)]
    path = folder / "list.csv"
    path.write_text("\n".join([f"Facility ID,Facility Name,{column},City", *rows]) + "\n")
    return [note for note in HospitalFile.open(path).notes if "not hospitals" in note or "closed" in note]


@pytest.mark.parametrize(
    ("column", "kinds", "listed"),
    [
        ("amenity", ["hospital"] * 6 + ["pharmacy"] * 3 + ["school"], "4, pharmacy (3), school (1)"),
        ("Category", ["Hospital"] * 6 + ["LABORATORY"] * 2, "2, LABORATORY (2)"),
        ("Kategorie", ["Klinik"] * 6 + ["Apotheke"] * 2, "2, Apotheke (2)"),
        ("fclass", ["police"] * 5 + ["fire_station"] * 3, "8, police (5), fire_station (3)"),
        ("kategori", ["Rumah Sakit"] * 6 + ["Apotek"] * 4, "4, Apotek (4)"),
    ],
)
def test_other_kinds_are_counted(tmp_path: Path, column: str, kinds: list[str], listed: str) -> None:
    (note,) = notes(tmp_path, column, kinds)
    assert f"{column!r} says that they are not hospitals are loaded as such: {listed};" in note


@pytest.mark.parametrize(
    ("column", "kinds"),
    [
        ("amenity", ["hospital"] * 6 + ["clinic"] * 3),
        ("Category", ["General hospital"] * 4 + ["Pharmacy and clinic"] * 2 + ["Teaching hospital"] * 3),
        ("Notes", ["near the school", "opposite the police", "in the bank"] * 3),
        ("PLANTA", ["Baja"] * 3 + ["1"] * 3),
    ],
)
def test_kinds_of_hospitals_are_not_noted(tmp_path: Path, column: str, kinds: list[str]) -> None:
    assert notes(tmp_path, column, kinds) == []


def test_other_kinds_are_counted_if_all_columns_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [f"Aveda {number},{'pharmacy' if number % 3 == 0 else 'hospital'},Town" for number in range(9)]
    path.write_text("\n".join(["Facility Name,amenity,City", *rows]) + "\n")
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(keep_others=True)))
    assert [
        note
        for note in file.notes
        if "'amenity' says that they are not hospitals" in note and "pharmacy (3)" in note
    ]


@pytest.mark.parametrize(
    ("column", "values", "listed"),
    [
        ("Operational status", ["Open", "Closed", "Open", "Temporarily closed", "Closed"], "3, Closed (2), Temp"),
        ("Estado", ["Activo", "Cerrado", "Activo", "Activo"], "1, Cerrado (1)"),
        ("Status", ["Open", "Under construction", "Open", "Open"], "1, Under construction (1)"),
        ("운영상태", ["영업", "폐업", "영업", "영업"], "1, 폐업 (1)"),
    ],
)
def test_closed_hospitals_are_counted(tmp_path: Path, column: str, values: list[str], listed: str) -> None:
    rows = [f"F{n:03},Aveda Hospital {n},{value},Town {n}" for n, value in enumerate(values)]
    path = tmp_path / "list.csv"
    path.write_text("\n".join([f"Facility ID,Facility Name,{column},City", *rows]) + "\n", "utf-8")
    file = HospitalFile.open(path)
    assert [note for note in file.notes if f"{column!r} says that they are closed" in note and listed in note]
    assert len([row for row in file.rows() if row.known is not None]) == len(values)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("Closed", ["No", "Yes", "No", "Yes"], "2 rows have the answer yes in 'Closed'"),
        ("is_closed", ["false", "true", "false", "false"], "1 row has the answer yes in 'is_closed'"),
        ("Cerrado", ["NO", "SI", "NO", "NO"], "1 row has the answer yes in 'Cerrado'"),
        ("Closed", ["No", "No", "no", ""], ""),
        ("Closed on Sundays", ["No", "Yes", "No", "No"], ""),
        ("Open", ["No", "Yes", "No", "No"], ""),
    ],
)
def test_hospitals_that_are_closed_by_an_answer_are_counted(
    tmp_path: Path, column: str, values: list[str], says: str
) -> None:
    rows = [f"F{n:03},Aveda Hospital {n},{value},Town {n}" for n, value in enumerate(values)]
    path = tmp_path / "list.csv"
    path.write_text("\n".join([f"Facility ID,Facility Name,{column},City", *rows]) + "\n", "utf-8")
    found = [note for note in HospitalFile.open(path).notes if repr(column) in note]
    assert [note.startswith(says) for note in found] == ([True] if says else [])


@pytest.mark.parametrize(
    ("names", "noted"),
    [
        (["Oak School", "Elm Academy", "Ash Elementary School"], True),
        (["Farmacia Aveda", "Farmacia Belmo", "Farmacia San Juan"], True),
        (["Oak Animal Hospital", "Elm Veterinary Clinic", "Ash Pet Hospital"], True),
        (["아베다 동물병원", "벨모 동물병원", "카르단 동물병원"], True),
        (["Tierklinik Aveda", "Kleintierarztpraxis Belmo", "Tierarzt Dr. Ash"], True),
        (["阿维达药店", "贝尔莫大药房", "卡丹药店"], True),
        # Hospitals with such words, and few places of other kinds.
        (["Aveda School Health Center", "Hospital Escuela", "Krankenhaus Schulerberg"], False),
        (["서울대학교병원", "부산대학교병원", "전북대학교병원"], False),
        (["Oak Hospital", "Elm Hospital", "Ash Pharmacy"], False),
        (["Vet Center Aveda", "Vet Center Belmo", "Vet Center Kardan"], False),
        (["Aveda", "Belmo", "Kardan"], False),
    ],
)
def test_names_of_schools_and_of_clinics_for_animals_are_noted(
    tmp_path: Path, names: list[str], noted: bool
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "\n".join(["Code,Name,City", *(f"F{n},{name},X" for n, name in enumerate(names))]) + "\n", "utf-8"
    )
    file = HospitalFile.open(path)
    assert [note for note in file.notes if note.startswith("most names in 'Name' are not")] == (
        [next(note for note in file.notes if repr(names[0]) in note)] if noted else []
    )
    assert [row.record.hospital_name for row in file.rows() if row.record is not None] == names


@pytest.mark.parametrize(
    ("name", "kinds", "noted"),
    [
        ("Aveda", ["Village"] * 9 + ["Town"], True),
        ("Aveda", ["სოფელი"] * 10, True),
        # A column of where a hospital is, and few such rows.
        ("Aveda Hospital", ["Village"] * 10, False),
        ("Aveda", ["Village"] * 5 + ["Hospital"] * 5, False),
        ("Aveda", ["Urban"] * 10, False),
    ],
)
def test_villages_in_place_of_hospitals_are_noted(tmp_path: Path, name: str, kinds: list[str], noted: bool) -> None:
    rows = [f"F{n:03},{name} {n},{kind},Region {n % 2}" for n, kind in enumerate(kinds)]
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["HCODE,Name,Kind,Region", *rows]) + "\n", "utf-8")
    file = HospitalFile.open(path)
    assert bool([note for note in file.notes if "'Kind' says that the rows are villages or towns" in note]) == noted
    assert len([row for row in file.rows() if row.known is not None]) == len(kinds)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("Close Date", ["", "20191231", "", "20200630"], "2 rows have a 'Close Date', first '20191231'"),
        ("datefermeture", ["", "2015-06-30", "", ""], "1 row has a 'datefermeture', first '2015-06-30'"),
        ("폐업일자", ["2012-01-02", "", "", ""], "1 row has a '폐업일자'"),
        # No end, and other dates.
        ("Close Date", ["9999-12-31", "2099-12-31", "00000000", "-"], ""),
        ("Open Date", ["19980401", "", "", ""], ""),
    ],
)
def test_hospitals_with_a_date_of_closing_are_counted(
    tmp_path: Path, column: str, values: list[str], says: str
) -> None:
    rows = [f"F{n:03},Aveda Hospital {n},{value},Town {n}" for n, value in enumerate(values)]
    path = tmp_path / "list.csv"
    path.write_text("\n".join([f"Facility ID,Facility Name,{column},City", *rows]) + "\n", "utf-8")
    file = HospitalFile.open(path)
    found = [note for note in file.notes if column in note]
    assert [note.startswith(says) for note in found] == ([True] if says else [])


def test_dates_of_closing_are_counted_if_all_columns_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [f"Aveda {number},{'2019-12-31' if number == 3 else ''},Town" for number in range(9)]
    path.write_text("\n".join(["Facility Name,Close Date,City", *rows]) + "\n")
    file = HospitalFile.open(path, FileWishes(columns=ColumnWishes(keep_others=True)))
    assert [note for note in file.notes if note.startswith("1 row has a 'Close Date', first '2019-12-31'")]
