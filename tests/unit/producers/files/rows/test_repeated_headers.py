import json
from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.rows.repeated_headers import HAS_TAGS, REPEATS_HEADER
from producers.files.rows.second_headers import IN_OTHER_WORDS
from producers.files.table import Wishes
from tests.support.lists.writing import workbook
from tests.support.rejected_rows import write_profile_beside

HEADER = ["code", "hospital name", "city", "beds"]
ROWS = [["1", "Oak", "Aveda", "12"], ["2", "Elm", "Brusk", "20"], HEADER, ["3", "Ash", "Corvo", "31"]]


def delimited(rows: list[list[str]], delimiter: str) -> bytes:
    return "".join(delimiter.join(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    "content",
    [
        delimited([HEADER, *ROWS], ","),
        delimited([HEADER, *ROWS], "\t"),
        workbook([], HEADER, ROWS),
        json.dumps([dict(zip(HEADER, row, strict=True)) for row in ROWS]).encode(),
        "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in ROWS).encode(),
    ],
    ids=["csv", "tsv", "workbook", "json", "ndjson"],
)
def test_a_header_among_the_rows_is_a_rejected_row(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    file = HospitalFile.open(path)
    rows = list(file.rows())
    assert [row.reasons for row in rows] == [(), (), (REPEATS_HEADER,), ()]
    assert file.rows_read == 4
    # Its words are none of the columns' values.
    assert (file.statistics["beds"].rows, "beds" in file.statistics["beds"].values) == (3, False)
    assert [row.record.beds for row in rows if row.record] == [12, 20, 31]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_marks_of_texts_that_were_joined_are_nothing(tmp_path: Path, encoding: str, quote: str) -> None:
    path = tmp_path / "list.csv"
    quoted = [[f"{quote}{cell}{quote}" for cell in row] for row in (HEADER, *ROWS[:2])]
    path.write_bytes(b"".join(delimited(quoted, ",").decode().encode(encoding) for _ in range(3)))
    rows = list(HospitalFile.open(path).rows())
    assert [row.reasons for row in rows] == [(), (), (REPEATS_HEADER,), (), (), (REPEATS_HEADER,), (), ()]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    ("line", "is_tags"),
    [
        ("#loc +name,#adm1+name", True),
        ("#LOC,#adm1 +name+v_hor", True),
        ("#loc+name,", False),
        ("#loc +name,Rome", False),
        ("#1 Clinic,#2 Road", False),
        ("# 5,#adm1", False),
    ],
)
def test_a_row_of_tags_is_a_rejected_row(tmp_path: Path, line: str, *, header: bool, is_tags: bool) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"name,city\nOak,Aveda\n{line}\nElm,Brusk\n")
    mapping = {} if header else {"hospital_name": "1"}
    wishes = FileWishes(reading=Wishes(header=header), columns=ColumnWishes(mapping=mapping))
    rows = list(HospitalFile.open(path, wishes).rows())[0 if header else 1 :]
    assert [row.reasons for row in rows] == [(), (HAS_TAGS,) if is_tags else (), ()]


@pytest.mark.parametrize(
    ("header", "line", "is_header"),
    [
        ("name,city", " NAME ,City", True),
        ("name,city", "name,", True),
        ("name,city,", "Name,city,", True),
        ("name,city,name", "name,city,name", True),
        ('"hospital\n name",city', "Hospital Name,CITY", True),
        ("name,city", "name,Rome", False),
        ("hospital,city", "Hospital,City of London", False),
        ("hospital,city", "city,hospital", False),
    ],
)
def test_a_row_repeats_the_header_if_every_filled_cell_does(
    tmp_path: Path, header: str, line: str, is_header: bool
) -> None:
    path = tmp_path / "list.csv"
    more = ",x" if header.count(",") == 2 else ""
    path.write_text(f"{header}\nOak,Aveda{more}\nElm,Brusk{more}\n{line}\nAsh,Corvo{more}\n")
    found = [REPEATS_HEADER in row.reasons for row in HospitalFile.open(path).rows()]
    assert found == [False, False, is_header, False]


def test_numbered_columns_have_no_header_to_repeat(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Oak,2\n1,2\nElm,3\n")
    columns = ColumnWishes(mapping={"hospital_name": "1", "beds": "2"})
    file = HospitalFile.open(path, FileWishes(reading=Wishes(header=False), columns=columns))
    assert [row.record.hospital_name for row in file.rows() if row.record] == ["Oak", "1", "Elm"]


def test_a_rejected_header_stays_rejected_until_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    path.write_text("import_line,import_reason,name,city\n9,repeats the header,name,city\n12,x,Oak,Aveda\n")
    write_profile_beside(path)
    assert [row.reasons for row in HospitalFile.open(path).rows()] == [(REPEATS_HEADER,), ()]


@pytest.mark.parametrize(
    ("second", "is_header"),
    [
        ("Полное наименование,Адрес,Телефон,Коечный фонд", True),
        ("Nom,Adresse,Téléphone,Lits", True),
        ("Clinic,Telephone Road,Phone,", False),
        ("Oak,Hill Road,,", False),
        ("Полное наименование,Адрес 2,Телефон,Коечный фонд", False),
    ],
)
def test_a_second_header_in_another_language_is_a_rejected_row(
    tmp_path: Path, second: str, *, is_header: bool
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"FullName,Address,Phone,Beds\n{second}\nElm,Elm Road,030 1234567,30\nFir,Fir Road,,20\n")
    first, *_ = HospitalFile.open(path).rows()
    assert (first.reasons == (IN_OTHER_WORDS,)) == is_header
