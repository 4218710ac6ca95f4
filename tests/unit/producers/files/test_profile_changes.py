"""What a profile says of the columns of a later delivery."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from producers.files import FileError, FileWishes, HospitalFile
from producers.files.table import Wishes

ROWS = [("Code", "Name", "City"), *((f"C{n:02}", f"Clinic {n}", f"Town {n}") for n in range(1, 16))]


def separated(delimiter: str) -> Callable[[], str]:
    return lambda: "".join(f"{delimiter.join(row)}\n" for row in ROWS)


def as_json() -> str:
    return json.dumps([dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]])


def as_lines() -> str:
    return "".join(json.dumps(dict(zip(ROWS[0], row, strict=True))) + "\n" for row in ROWS[1:])


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ("CODE,NAME,CITY,BEDS_TOTAL", []),
        ("code,name,city,beds total", []),
        ("Code,Name,City,Beds-Total", []),
        ("Code ,Name,Çity,Beds Total", []),
        ("cODE,Name,City,Beds.Total", []),
        ("Code,Name,City,Beds Total,Phone", ["columns that the profile does not know: 'Phone'"]),
        ("Code,Name,City", ["columns that the profile knows are gone: 'Beds Total'"]),
        (
            "Code,Name,City,Beds",
            [
                "columns that the profile knows are gone: 'Beds Total'",
                "columns that the profile does not know: 'Beds'",
            ],
        ),
    ],
)
def test_only_columns_that_are_not_found_are_gone(tmp_path: Path, header: str, changes: list[str]) -> None:
    first, later = tmp_path / "first.csv", tmp_path / "later.csv"
    first.write_text("Code,Name,City,Beds Total\n1,Oak,Aveda,4\n2,Elm,Brusk,5\n")
    later.write_text(
        "".join(
            f"{','.join(line)}\n"
            for line in zip(*[[name, f"{name}1", f"{name}2"] for name in header.split(",")], strict=True)
        )
    )
    profile = HospitalFile.open(first).profile
    notes = HospitalFile.open(later, FileWishes().by_profile(profile)).notes
    assert [note for note in notes if note.startswith("columns that the profile")] == changes


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (separated(";"), separated(","), "the delimiter was ';' and is ',' now"),
        (separated(","), separated("\t"), "the delimiter was ',' and is '\\t' now"),
        (separated(";"), as_json, "the format was csv and is json now"),
        (separated("|"), as_lines, "the format was csv and is ndjson now"),
        (as_json, separated(";"), "the format was json and is csv now"),
        (as_lines, as_json, "the format was ndjson and is json now"),
        (as_json, as_lines, "the format was json and is ndjson now"),
        (separated(";"), separated(";"), None),
    ],
)
def test_a_delivery_in_another_form_is_read_by_its_profile(
    tmp_path: Path, before: Callable[[], str], now: Callable[[], str], change: str | None
) -> None:
    first, later = tmp_path / "first.csv", tmp_path / "later.csv"
    first.write_text(before())
    later.write_text(now())
    profile = HospitalFile.open(first, FileWishes()).profile
    file = HospitalFile.open(later, FileWishes().by_profile(profile))
    assert [row.known["city"] for row in file.rows() if row.known] == [city for _, _, city in ROWS[1:]]
    assert [it for it in file.notes if " and is " in it] == ([change] if change else [])


def test_another_form_is_not_guessed_at_if_the_names_are_not_there_or_the_user_has_said(tmp_path: Path) -> None:
    first, later = tmp_path / "first.csv", tmp_path / "later.csv"
    first.write_text(separated(";")())
    profile = HospitalFile.open(first).profile
    later.write_text(separated(",")().replace("Name", "Title"))
    with pytest.raises(FileError, match="has no column 'Name'"):
        HospitalFile.open(later, FileWishes().by_profile(profile))
    later.write_text(separated(",")())
    with pytest.raises(FileError, match="has no column 'Name'"):
        HospitalFile.open(later, FileWishes(reading=Wishes(delimiter=";")).by_profile(profile))
