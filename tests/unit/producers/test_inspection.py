from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.inspection import inspect_file
from worker.contract import OnExisting


def test_reasons_are_counted_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    # As many cells too many in most rows would be the header's fault.
    wide = [f"Elm,Brusk,{number}{',x' * (number % 3)}" for number in range(1_500)]
    path.write_text("\n".join(["name,city", "Oak,Aveda", *wide]))
    found = inspect_file(HospitalFile.open(path), lambda _: None)
    assert (found.rejected, found.reasons.total()) == (1_500, 1_500)
    # By kind: what is of one row is left out.
    assert found.reasons == {"has … cells, but the header has …; after the last column: …": 1_500}


def test_a_total_below_a_short_list_does_not_cost_its_identifier(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,facility_id,city,beds\nOak,A1,Aveda,3\nElm,A2,Brusk,4\nTOTAL,,,7\n")
    found = inspect_file(HospitalFile.open(path, FileWishes(columns=ColumnWishes(source="moh"))), lambda _: None)
    assert (found.rows, found.rejected, found.by_id) == (3, 1, 2)


@pytest.mark.parametrize(
    ("text", "collisions", "repeated"),
    [
        ("Hospital;Town;Beds;Telephone\nApollo;Agra;20;555-0001\nApollo;Agra;35;555-0002\n", 1, 0),
        ("Hospital;Town;Beds\nApollo;Agra;20\nApollo;Agra;35\nApollo;Agra;20\n", 1, 1),
        ("Hospital;Town;Beds\nApollo;Agra;20\nApollo;Agra;\n", 0, 1),
        ("Hospital;Town;Beds\nApollo;Agra;\nApollo;Agra;35\n", 1, 0),
        ("Hospital;Town;Hospital Type\nApollo;Agra;\nApollo;Agra;single speciality\n", 0, 1),
        ("Hospital;Town;Beds;Last Updated\nApollo;Agra;20;2025-01-01\nApollo;Agra;35;2025-02-01\n", 0, 1),
        ("Hospital;Town;Beds;Last Updated\nApollo;Agra;20;2025-01-01\nApollo;Agra;35;2025-01-01\n", 1, 0),
    ],
)
def test_rows_of_one_name_and_town_are_compared_as_an_import_does(
    text: str, collisions: int, repeated: int, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    found = inspect_file(HospitalFile.open(path), lambda _: None)
    assert (found.collisions, found.repeated + found.differing) == (collisions, repeated)


@pytest.mark.parametrize(
    ("rows", "on_existing", "differing", "repeated"),
    [
        # One number of beds, then another; the third says the same as the first.
        (["A1;Oak;X;4;", "A1;Oak;X;5;", "A1;Oak;X;4;"], "keep", 1, 1),
        (["A1;Oak;X;4;", "A1;Oak;X;;", "B2;Elm;Y;6;"], "keep", 0, 1),
        (["A1;Oak;X;;", "A1;Oak;X;4;"], "merge", 1, 0),
        (["A1;Oak;X;4;public", "A1;Oak;X;4;private", "A1;Oak;X;4;other"], "merge", 2, 0),
        (["A1;Oak;X;4;", "A1;Oak;X;;"], "replace", 1, 0),
        (["A1;Oak;X;4;", "A1;Oak;X;4;", "A1;Oak;X;4;"], "keep", 0, 2),
        (["A1;Oak;X;4;", "B2;Elm;X;4;", "C3;Ash;X;5;"], "keep", 0, 0),
    ],
)
def test_a_row_that_says_something_else_of_a_hospital_is_no_repetition(
    tmp_path: Path, rows: list[str], on_existing: OnExisting, differing: int, repeated: int
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["code;name;city;beds;ownership", *rows]) + "\n")
    wishes = FileWishes(columns=ColumnWishes(source="moh", mapping={"external_id": "code"}))
    found = inspect_file(HospitalFile.open(path, wishes), lambda _: None, on_existing=on_existing)
    assert (found.differing, found.repeated) == (differing, repeated)
    assert found.usable == len(rows) - differing - repeated


def test_a_row_that_would_erase_values_of_an_earlier_one_collides_with_it(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Hospital;Town;Beds\nApollo;Agra;20\nApollo;Agra;\n")
    assert inspect_file(HospitalFile.open(path), lambda _: None, on_existing="replace").collisions == 1
