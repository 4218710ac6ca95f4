"""Lists whose header has fewer names than their rows have cells."""

from pathlib import Path

import pytest

from producers.files import FileError
from producers.files.opening import open_table
from producers.files.table import Wishes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def test_a_list_whose_rows_have_more_cells_than_its_header_is_refused(path: Path) -> None:
    wide = [f"{number},H{number},Oak {number},Aveda" for number in range(10)]
    path.write_text("\n".join(["code,name,city", *wide, "H99,Elm,Aveda"]))
    with pytest.raises(
        FileError, match=r"10 of the first 11 rows have 4 cells, but the header has 3: '0 \| H0 \| Oak 0"
    ):
        open_table(path)


@pytest.mark.parametrize(
    "rows",
    [
        # As many are right, empty cells are none, and few rows show nothing.
        [*("H1,Oak,Aveda",) * 10, *("1,H1,Oak,Aveda",) * 10],
        ["H1,Oak,Aveda,,"] * 20,
        [*("1,H1,Oak,Aveda",) * 9, "H1,Oak,Aveda"],
        # Texts in the last column have commas, and the rows without any are right.
        [*(f"H{n},Oak,Aveda{', x' * (1 + n % 4)}" for n in range(60)), "H99,Oak,Aveda"],
    ],
)
def test_a_list_of_which_enough_rows_fit_is_read(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join(["code,name,city", *rows]))
    assert len([row for row in open_table(path).rows() if row.problem is None]) >= 1


@pytest.mark.parametrize("columns", ["title", "import_line,import_reason,code"])
def test_rows_below_a_title_in_place_of_the_header_and_rejected_rows_are_not_refused(
    path: Path, columns: str
) -> None:
    path.write_text("\n".join([columns, *("1,H1,Oak,Aveda",) * 20]))
    skip = 0 if columns == "title" else None
    assert all(row.problem for row in open_table(path, Wishes(skip_rows=skip)).rows())
