import pytest

from producers.files.row_sample import MOST_ROWS, RowSample
from producers.files.table import RawRow


def lines_kept(count: int, cell: str = "x") -> list[int]:
    sample = RowSample()
    for line in range(count):
        sample.add(RawRow(line, {"name": cell}))
    return [row.line for row in sample.rows]


@pytest.mark.parametrize(("count", "step"), [(0, 1), (MOST_ROWS, 1), (MOST_ROWS + 1, 2), (100_000, 32)])
def test_rows_are_kept_evenly_over_the_whole_file(count: int, step: int) -> None:
    assert lines_kept(count) == list(range(0, count, step))


def test_of_large_rows_fewer_are_kept() -> None:
    kept = lines_kept(1_000, "x" * 100_000)
    assert len(kept) * 100_000 <= 8_000_000
    assert kept == list(range(0, 1_000, 16))


def test_one_row_is_kept_however_large() -> None:
    assert lines_kept(3, "x" * 9_000_000) == [0]


def test_lists_and_objects_are_not_kept() -> None:
    sample = RowSample()
    sample.add(RawRow(1, {"name": "Atlas", "outline": [[0.5, 0.5]] * 10_000, "more": {"a": 1}}))
    assert [row.fields for row in sample.rows] == [{"name": "Atlas"}]
