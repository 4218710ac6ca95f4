"""Lists in which a backslash stands before what is text, as MySQL and PHP write them."""

from pathlib import Path

import pytest

from producers.files import HospitalFile


def rows(folder: Path, text: str) -> list[dict[str, object]]:
    path = folder / "list.csv"
    path.write_text(text)
    file = HospitalFile.open(path)
    found = list(file.rows())
    assert [row.reasons for row in found if row.known is None] == []
    return [{key: value for key, value in (row.known or {}).items() if key != "local_id"} for row in found]


def test_a_dump_of_mysql_has_nothing_where_it_says_so(tmp_path: Path) -> None:
    text = (
        "id\tname\tcity\tphone\tbeds\n"
        '11\tClinic \\"A\\"\t\\N\t\\N\t\\N\n'
        "12\tClinic\\tB\\nNorth\tMilan\t02 222222\t12\n"
        "17\tClinic C\\, Inc\tN\t\\N\t\\N\n"
    )
    assert rows(tmp_path, text) == [
        {"hospital_name": 'Clinic "A"'},
        {"hospital_name": "Clinic B North", "city": "Milan", "phone": "02 222222", "beds": 12},
        {"hospital_name": "Clinic C, Inc", "city": "N"},
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            r"""code,name,address
H1,"Clinic \"Aurora\", North","Hill 1, Block 2"
H2,"Clinic \"Bora\"","Hill 2"
H3,"Clinic C","Hill 3"
""",
            ['Clinic "Aurora", North', 'Clinic "Bora"', "Clinic C"],
        ),
        (
            "code,name,city\nH1,O\\'Brien Clinic,Rome\nH2,Caf\\u00e9 Clinic,Milan\nH3,Clinic D,Turin\n",
            ["O'Brien Clinic", "Caf\u00e9 Clinic", "Clinic D"],
        ),
        (
            "code;name;city\nH1;L\\'H\u00f4pital;Lyon\nH2;Clinique d\\'Or;Metz\nH3;Clinique B;Nice\n",
            ["L'H\u00f4pital", "Clinique d'Or", "Clinique B"],
        ),
        # A path that ends with a backslash escapes nothing.
        ('code,name,folder\nH1,Clinic A,"C:\\data\\"\nH2,Clinic\\two,"D:\\x"\n', ["Clinic A", "Clinic\\two"]),
        ('code,name,note\nH1,"Clinic ""A""",x\\ty\nH2,Clinic B,\\n\n', ['Clinic "A"', "Clinic B"]),
    ],
)
def test_a_backslash_belongs_to_the_name_only_where_it_is_text(tmp_path: Path, text: str, names: list[str]) -> None:
    assert [row["hospital_name"] for row in rows(tmp_path, text)] == names
