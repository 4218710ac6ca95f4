import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.files.table import Wishes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list"


def wishes(
    *, source: str | None = None, mapping: dict[str, str] | None = None, strict: bool = False, **reading: Any
) -> FileWishes:
    columns = ColumnWishes(source=source, mapping=mapping or {})
    return FileWishes(reading=Wishes(**reading), columns=columns, strict=strict)


def reasons_of(path: Path, content: str, **options: Any) -> list[tuple[str, ...]]:
    path.write_text(content, encoding="utf-8")
    return [row.reasons for row in HospitalFile.open(path, wishes(**options)).rows()]


def test_a_csv_row_becomes_a_record(path: Path) -> None:
    path.write_text(
        "Facility Name;Facility ID;hospital_type;Emergency Services;beds;lat;lng;observed_at;city;extra\n"
        " Hôpital ;007;MULTI;No;120.0;48.85;2.35;2025-06-30T12:00:00+02:00;;x\n",
        encoding="utf-8",
    )
    file = HospitalFile.open(path, wishes(source="sante"))
    (row,) = file.rows()
    assert row.record is not None
    assert row.record.model_dump(mode="json", exclude_none=True) == {
        "hospital_name": "Hôpital",
        "source": "sante",
        "external_id": "007",
        "hospital_type": "multi",
        "emergency_services": False,
        "beds": 120,
        "location": {"type": "Point", "coordinates": [2.35, 48.85]},
        "observed_at": "2025-06-30T10:00:00Z",
    }
    assert (row.line, file.dialect.format, file.columns.left_out) == (2, "csv", ("city", "extra"))


def test_an_ndjson_row_becomes_a_record(path: Path) -> None:
    given = {
        "hospital_name": "A",
        "source": "x",
        "external_id": 7,
        "beds": 5,
        "emergency_services": True,
        "location": {"type": "Point", "coordinates": [2.5, 48.5]},
        "attributes": {"rating": 4},
    }
    path.write_bytes(gzip.compress((json.dumps(given) + "\n").encode()))
    file = HospitalFile.open(path)
    (row,) = file.rows()
    assert row.record is not None
    assert row.record.model_dump(mode="json", exclude_none=True) == given | {"external_id": "7"}
    assert file.dialect.format == "ndjson"


@pytest.mark.parametrize(
    ("column", "good", "bad", "reason"),
    [
        ("beds", "5", "many", "is not a number"),
        ("emergency_services", "no", "maybe", ""),
        ("hospital_type", "multi", "big", ""),
        ("observed_at", "2025-06-30", "spring", ""),
        ("address", "Ring 3", "x" * 201, ""),
    ],
)
def test_an_unreadable_cell_costs_its_field_only_and_strict_the_row(
    path: Path, column: str, good: str, bad: str, reason: str
) -> None:
    path.write_text(f"hospital_name,{column}\n" + f"A,{good}\n" * 3 + f"B,{bad}\n")
    *_, row = HospitalFile.open(path).rows()
    assert row.record is not None
    assert getattr(row.record, column) is None
    ((field, text),) = [(cell.field, cell.reason) for cell in row.left_out]
    assert (field, reason in text) == (column, True)
    *_, row = HospitalFile.open(path, wishes(strict=True)).rows()
    assert (row.record, row.reasons) == (None, (f"{column}: {text}",))


def test_a_row_without_a_name_does_not_affect_others(path: Path) -> None:
    assert reasons_of(path, "name,beds\nA,1\n-,2\n\nC,3\n") == [(), ("hospital_name: is missing ('-')",), ()]


def test_a_profile_reads_a_file_alike_and_what_is_given_takes_precedence(path: Path) -> None:
    path.write_text("name;Facility ID;Ort\nA;1;P\nB;2;Q\n")
    first = HospitalFile.open(path, wishes(source="x", mapping={"county": "Ort"}))
    again = HospitalFile.open(path, wishes().by_profile(first.profile))
    assert again.profile == first.profile
    assert [row.record for row in again.rows()] == [row.record for row in first.rows()]
    other = HospitalFile.open(path, wishes(source="y", delimiter=";").by_profile(first.profile))
    assert other.source == "y"
    path.write_text("name;Facility ID;new\nA;1;P\n")
    notes = HospitalFile.open(path, wishes().by_profile(first.profile)).notes
    assert "columns that the profile knows are gone: 'Ort'" in notes


def test_an_undecodable_byte_costs_its_character_only(path: Path) -> None:
    path.write_bytes(b"name\nA\nB\x81\nC\x92s\n")
    file = HospitalFile.open(path, wishes(encoding="utf-8"))
    assert [row.record and row.record.hospital_name for row in file.rows()] == ["A", "B\ufffd", "C\u2019s"]


@pytest.mark.parametrize(
    ("beds", "county", "left_out"), [("", "NA", []), ("NA", None, ["county"])], ids=["code", "word"]
)
def test_naples_keeps_its_code_unless_the_list_writes_it_for_not_known(
    path: Path, beds: str, county: str | None, left_out: list[str]
) -> None:
    rows = [("A", "NA", "4"), ("B", "RM", beds), ("C", "MI", "5"), ("D", "TO", "6")]
    path.write_text("nome,provincia,beds\n" + "".join(f"{','.join(row)}\n" for row in rows))
    file = HospitalFile.open(path, wishes(mapping={"county": "provincia", "hospital_name": "nome"}))
    first, *_ = file.rows()
    assert first.record is not None
    assert (first.record.county, [cell.field for cell in first.left_out]) == (county, left_out)


def test_notes_on_cells_are_those_of_the_last_complete_pass(path: Path) -> None:
    path.write_text("name,postcode\nA,2190.0\nB,3340.0\nC,5551.0\n")
    file = HospitalFile.open(path)
    assert file.notes == []
    for _ in range(2):
        rows = len(list(file.rows()))
        next(file.rows())
        (note,) = file.notes
        assert (rows, note[-9:]) == (3, "(3 cells)")


def test_ndjson_fields_may_be_absent_from_the_first_row(path: Path) -> None:
    rows = (
        ['{"beds": 1}', '{"hospital_name": "A"}'] + ['{"hospital_name": "B"}'] * 200 + ['{"name": "C", "zip": 1}']
    )
    reasons = reasons_of(path, "\n".join(rows))
    assert [index for index, found in enumerate(reasons) if found] == [0, 202]


def test_lines_of_invalid_json_are_rejected_rows(path: Path) -> None:
    text = '{"broken\n{"name": "A"}\n{"name": "B"}\n'
    assert [bool(reasons) for reasons in reasons_of(path, text)] == [True, False, False]


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        ("name,city\n", {}, "has a header but no rows"),
        ("name,city\n\n,\n", {}, "has a header but no rows"),
        ("\n\n", {"format": "ndjson"}, "contains no rows"),
        ("\n \n", {}, "contains no rows"),
        ("town,beds\nA,1\n", {}, "no column for the hospital's name"),
        ('{"beds": 1}\n', {}, "no column for the hospital's name"),
        ('[{"name": "A"}', {}, "broken JSON"),
        ("name\nA\n", {"source": "CMS"}, "--source 'CMS' is not a valid source"),
        ("name\nA\n", {"mapping": {"beds": "x"}}, "no column 'x'"),
    ],
)
def test_an_unusable_file_is_refused(path: Path, content: str, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(FileError, match=problem):
        reasons_of(path, content, **options)


def test_a_given_format_takes_precedence_over_the_content(path: Path) -> None:
    assert reasons_of(path, "[name]\nA\n", format="csv") == [()]


def test_a_utf16_file_is_read(path: Path) -> None:
    path.write_text("name\tcity\nŁódź\tx\n", encoding="utf-16")
    (row,) = HospitalFile.open(path).rows()
    assert row.record is not None
    assert row.record.hospital_name == "Łódź"


def test_some_rows_are_read_that_are_spread_over_the_file(path: Path) -> None:
    path.write_text("code,name\n" + "".join(f"K{n},{'' if n % 2 else f'Hospital {n}'}\n" for n in range(2, 10_002)))
    file = HospitalFile.open(path, wishes(source="moh", mapping={"external_id": "code"}))
    lines = [row.line for row in file.some_rows()]
    # Every fourth row of ten thousand; without a name it has no record.
    assert lines == list(range(2, 10_002, 4))
    short = path.with_name("short.csv")
    short.write_text("name\nAtlas\nBorea\n")
    assert [row.line for row in HospitalFile.open(short).some_rows()] == [2, 3]
