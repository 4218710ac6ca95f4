# ruff: noqa: RUF001  (names in many scripts)
"""Offices of an administration among the hospitals are noted."""

from pathlib import Path

import pytest

from producers.files.rows.offices import is_office
from tests.support.written_lists import opened


@pytest.mark.parametrize(
    "name",
    [
        "Ministry of Health",
        "Ministry of Health Headquarters",
        "Kisumu County Health Department",
        "Dinas Kesehatan Kota Bandung",
        "SECRETARIA MUNICIPAL DE SAUDE DE OURO PRETO",
        "Secretaría de Salud",
        "Gesundheitsamt Köln",
        "Ankara İl Sağlık Müdürlüğü",
        "Департамент здравоохранения города Москвы",
        "Υπουργείο Υγείας",
        "مديرية الصحة بنابلس",
        "Sở Y tế Hà Nội",
        "双流区卫生健康局",
        "สำนักงานสาธารณสุขจังหวัดลำปาง",
    ],
)
def test_names_of_offices_are_known(name: str) -> None:
    assert is_office(name)


@pytest.mark.parametrize(
    "name",
    [
        "Oak Clinic",
        "Ministry of Health Hospital",
        "Department of Health Medical Center",
        "Hospital da Secretaria de Saude",
        "Oakland Behavioral Health",
        "District Hospital",
        "卫生健康局医院",
        "Saúde Santa Casa",
        "",
    ],
)
def test_names_of_hospitals_are_not(name: str) -> None:
    assert not is_office(name)


def test_offices_are_loaded_and_noted(tmp_path: Path) -> None:
    rows = [f"K{number};Oak Clinic {number};Aveda" for number in range(4)]
    file = opened(tmp_path, "Code;Name;City", *rows, "K8;Dinas Kesehatan;Aveda", "K9;Ministry of Health;Aveda")
    assert len([row for row in file.rows() if row.known is not None]) == 6
    (note,) = (note for note in file.notes if "office" in note)
    assert note.startswith("2 rows are called like an office of an administration and loaded as a hospital")
    assert "first 'Dinas Kesehatan' in line 6" in note
