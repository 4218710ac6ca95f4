"""Rows that name several hospitals, and nothing else, are sections of a list, however short it is."""

from pathlib import Path

import pytest

from producers.files import HospitalFile


def stored_sections(folder: Path, sections: list[str], below: int = 6) -> list[str]:
    lines, number = ["Name,City,Beds,Phone"], 0
    for section in sections:
        lines.append(f"{section},,,")
        for _ in range(below):
            number += 1
            lines.append(f"Clinic {number} Aveda,Town {number},{number * 7},06 11{number:03}")
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    known = [row.known for row in HospitalFile.open(path).rows() if row.known is not None]
    assert len(known) >= number
    return [it["hospital_name"] for it in known if "city" not in it]


@pytest.mark.parametrize(
    "sections",
    [
        ["Public hospitals", "Private hospitals", "Military hospitals"],
        ["Closed hospitals"],
        ["CLINICS"],
        ["District hospitals (3)", "Health centres"],
        ["Krankenhäuser", "Rehabilitationskliniken"],
        ["Hôpitaux publics", "Cliniques privées"],
        ["Hospitales públicos", "Clínicas"],
        ["Hastaneler", "Özel Hastaneleri"],
        ["Больницы", "Частные клиники"],
    ],
)
def test_a_section_is_not_stored(tmp_path: Path, sections: list[str]) -> None:
    assert stored_sections(tmp_path, sections) == []


@pytest.mark.parametrize(
    "name", ["St Mary Hospital", "Shriners Hospitals for Children Boston Campus", "Clinique du Lac"]
)
def test_one_hospital_of_which_only_the_name_is_known_is_stored(tmp_path: Path, name: str) -> None:
    assert stored_sections(tmp_path, [name], below=8) == [name]
