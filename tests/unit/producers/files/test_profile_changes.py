"""What a profile says of the columns of a later delivery."""

from pathlib import Path

import pytest

from producers.files import FileWishes, HospitalFile


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
