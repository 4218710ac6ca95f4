import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from producers.files import FileError, HospitalFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list"


def reasons_of(path: Path, content: str, **options: Any) -> list[tuple[str, ...]]:
    path.write_text(content, encoding="utf-8")
    return [row.reasons for row in HospitalFile.open(path, **options).rows()]


def test_a_csv_row_becomes_a_record(path: Path) -> None:
    path.write_text(
        "Facility Name;Facility ID;hospital_type;Emergency Services;beds;lat;lng;observed_at;city;extra\n"
        " Hôpital ;007;MULTI;No;120.0;48.85;2.35;2025-06-30T12:00:00+02:00;;x\n",
        encoding="utf-8",
    )
    file = HospitalFile.open(path, source="sante")
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
    assert (row.line, file.format, file.columns.left_out) == (2, "csv", ["extra"])


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
    assert file.format == "ndjson"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("beds", "many", "beds: expected a whole number"),
        ("beds", "1,200", "beds: expected a whole number"),
        ("beds", "-1", "beds: Input should be greater than or equal to 0"),
        ("beds", "9" * 5_000, "beds: expected a whole number"),
        ("emergency_services", "maybe", "emergency_services: expected yes or no"),
        ("latitude", "48", "location: needs both latitude and longitude"),
        ("latitude", "nan", "latitude: expected a number"),
        ("hospital_type", "big", "hospital_type: "),
        ("observed_at", "2025-06-30", "observed_at: "),
        ("city", "a\x07b", "city: control character U+0007 at position 1"),
        ("address", "x" * 201, "address: "),
    ],
)
def test_an_invalid_value_is_reported_with_its_field(path: Path, column: str, value: str, reason: str) -> None:
    (reasons,) = reasons_of(path, f'hospital_name,{column}\nA,"{value}"\n')
    (only,) = reasons
    assert only.startswith(reason)


def test_all_problems_of_a_row_are_reported(path: Path) -> None:
    (reasons,) = reasons_of(path, f"name,beds,city\n ,many,{'x' * 300}\n")
    assert [reason.partition(":")[0] for reason in reasons] == ["beds", "city", "hospital_name"]


def test_invalid_rows_do_not_affect_valid_ones(path: Path) -> None:
    assert [bool(reasons) for reasons in reasons_of(path, "name,beds\nA,1\nB,x\n\nC,3\n")] == [False, True, False]


def test_an_undecodable_byte_costs_its_character_only(path: Path) -> None:
    path.write_bytes(b"name\nA\nB\x81\nC\x92s\n")
    file = HospitalFile.open(path, encoding="utf-8")
    assert [row.record and row.record.hospital_name for row in file.rows()] == ["A", "B\ufffd", "C\u2019s"]


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
        ("\n\n", {"file_format": "ndjson"}, "contains no rows"),
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
    assert reasons_of(path, "[name]\nA\n", file_format="csv") == [()]


def test_a_utf16_file_is_read(path: Path) -> None:
    path.write_text("name\tcity\nŁódź\tx\n", encoding="utf-16")
    (row,) = HospitalFile.open(path).rows()
    assert row.record is not None
    assert row.record.hospital_name == "Łódź"
