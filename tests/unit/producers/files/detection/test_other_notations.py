"""Texts that are not a table are refused by name; lists that merely look a little like them are read."""

from pathlib import Path

import pytest

from producers.files import FileError, HospitalFile
from producers.files.detection.other_notations import other_notation


def opened(folder: Path, text: str) -> HospitalFile:
    path = folder / "list.csv"
    path.write_text(text)
    return HospitalFile.open(path)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("- name: Hospital A\n  city: Rome\n- name: Hospital B\n  city: Milan\n", "is YAML"),
        ("---\n# a list\nhospitals:\n  - name: Hospital A\n    city: Rome\n", "is YAML"),
        ("- {name: Hospital A, city: Rome}\n- {name: Hospital B, city: Milan}\n", "is YAML"),
        ('[[hospital]]\nname = "Hospital A"\ncity = "Rome"\n', "is TOML"),
        ("INSERT INTO `h` (`id`, `name`) VALUES\n(1, 'Clinic A'),\n(2, 'Clinic B');\n", "is SQL"),
        ("-- dump\n/*!40101 SET NAMES utf8 */;\ncreate table h (id int);\n", "is SQL"),
        ("COPY public.hospitals (id, name) FROM stdin;\n1\tClinic A\n", "is SQL"),
        ("% a table\n\\begin{tabular}{ll}\nName & City\\\\\nClinic A & Rome\\\\\n", "is LaTeX"),
        ("--- a/h.csv\n+++ b/h.csv\n@@ -1,2 +1,2 @@\n code,name\n+H1,Clinic A\n", "is a comparison"),
        ("+----+----------+\n| id | name     |\n+----+----------+\n|  1 | Clinic A |\n", "is drawn with lines"),
        ("@RELATION h\n@ATTRIBUTE name STRING\n@DATA\n'Clinic A'\n", "is an ARFF file"),
        ("[{'name': 'Clinic A', 'city': 'Rome'}]", "as Python writes it"),
        ("Name: Clinic A\nCity: Rome\n\nName: Clinic B\nCity: Milan\n", "one field in each line"),
        ("name = Clinic A\nphone = 06 11\nname = Clinic B\nphone = 06 12\n", "one field in each line"),
    ],
)
def test_a_text_in_another_notation_is_refused_by_its_name(tmp_path: Path, text: str, kind: str) -> None:
    with pytest.raises(FileError, match=kind) as refused:
        opened(tmp_path, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "Hospital Name\nAveda: Clinic A\nBrusk: Clinic B\nAveda: Clinic C\nBrusk: Clinic D\n",
        "Name,Hours\nClinic A,Mon: 8-12\nClinic B,Tue: 9-12\nClinic C,Mon: 8-12\nClinic D,Tue: 9-12\n",
        "Hospital Name,City\n- Clinic A,Rome\n- Clinic B,Milan\n- Clinic C,Turin\n- Clinic D,Pisa\n",
        "Hospital Name;City\nInsert Clinic;Rome\nCopy Clinic;Milan\nCreate Clinic;Turin\nBegin Clinic;Pisa\n",
        "Name|City\n---|---\nClinic A|Rome\nClinic B|Milan\nClinic C|Turin\nClinic D|Pisa\n",
    ],
)
def test_a_list_that_looks_a_little_like_one_is_read(tmp_path: Path, text: str) -> None:
    names = [str(row.known["hospital_name"]) for row in opened(tmp_path, text).rows() if row.known]
    assert len([name for name in names if "Clinic" in name]) == 4


@pytest.mark.parametrize(
    "text",
    [
        "North: Clinic A\nNorth: Clinic B\nNorth: Clinic C\nSouth: Clinic D\nSouth: Clinic E\n",
        "Hospital: Clinic A\nHospital: Clinic B\nHospital: Clinic C\n",
        "Name: Clinic A\nCity: Rome\nPhone: 06 11\n",
    ],
)
def test_lines_with_labels_are_no_fields_unless_the_labels_take_turns(text: str) -> None:
    assert other_notation(Path("list.txt"), text) is None
