from pathlib import Path

import pytest

from producers.files import HospitalFile, first_pass

# A header that is repeated after each page, and a total at the end.
PAGES = "name,city,beds\n" + "".join(
    f"Oak {page},Aveda,{page}5\nElm {page},Brusk,{page}7\nname,city,beds\n" for page in range(1, 6)
)


@pytest.mark.parametrize("most", [100_000, 2, 0])
def test_rows_that_are_no_hospitals_are_found_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(first_pass, "_MOST_PROBLEMS", most)
    path = tmp_path / "list.csv"
    path.write_text(PAGES)
    file = HospitalFile.open(path)
    # Each pass over the file finds the same.
    for _ in range(2):
        assert [row.line for row in file.rows() if row.known is None] == [4, 7, 10, 13, 16]


def test_the_rows_of_the_sample_are_hospitals(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    region = "Region North,,\n"
    rows = "".join(f"Oak {number},Aveda,{number}5\n" for number in range(1, 20))
    path.write_text("name,city,beds\n" + region + rows + "Total Aveda,,900\n")
    file = HospitalFile.open(path)
    assert [row.line for row in file.some_rows()] == list(range(3, 22))
