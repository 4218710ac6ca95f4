"""Totals whose word nobody knows, in lists of more than 4,000 rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from producers.files.rows import possible_sums
from producers.files.rows.possible_sums import PossibleSums
from producers.files.rows.unknown_totals import MAY_BE_A_TOTAL
from producers.files.table import RawRow
from tests.support.written_lists import opened, rejected

HEADER = "Code;Name;City;Beds;Rank"


def long_list(*, groups: int = 5, of: int = 1_000, total: bool = True, rank: bool = True) -> Iterator[str]:
    """Yield the rows of groups of hospitals, each with a sum below, and the sum of all."""
    number = 0
    for group in range(groups):
        for _ in range(of):
            number += 1
            yield f"K{number:05};Oak {number};Aveda {number % 40};{number % 97 + 1};{number % 7 if rank else ''}"
        beds = sum(it % 97 + 1 for it in range(group * of + 1, number + 1))
        yield f";Zusumma {'ABCDEFGHIJ'[group]};;{beds};"
    if total:
        yield f";Zusumma;;{sum(it % 97 + 1 for it in range(1, number + 1))};"


@pytest.mark.parametrize("rank", [True, False])
def test_totals_of_groups_of_a_long_list_are_rejected(tmp_path: Path, *, rank: bool) -> None:
    file = opened(tmp_path, HEADER, *long_list(rank=rank))
    lines = [*(1_002 + 1_001 * group for group in range(5)), 5_007]
    assert rejected(file) == dict.fromkeys(lines, MAY_BE_A_TOTAL)
    # They cost the list neither its identifier nor a row of its statistics.
    assert file.columns.columns_of("external_id") == ("Code",)
    assert file.statistics["Name"].rows == 5_000


def test_the_total_at_the_end_need_not_be_a_sum(tmp_path: Path) -> None:
    rows = [*long_list(total=False), ";Zusumma;;9;"]
    assert rejected(opened(tmp_path, HEADER, *rows))[5_007] == MAY_BE_A_TOTAL


@pytest.mark.parametrize(
    "row",
    [
        # It is not a sum of those above; it has another text; others lack its city, too.
        ";Elm;;12345;",
        ";Elm;Brusk;{sum};",
        "K7;Elm;;{sum};1",
    ],
)
def test_hospitals_within_a_long_list_are_loaded(tmp_path: Path, row: str) -> None:
    rows = list(long_list(groups=1, of=5_000, total=False))[:-1]
    beds = sum(number % 97 + 1 for number in range(1, 2_001))
    rows[2_000:2_000] = [row.format(sum=beds)]
    rows[3_000:3_000] = ["K8;Ash;;5;1"]
    assert rejected(opened(tmp_path, HEADER, *rows)) == {}


def test_what_too_many_rows_lack_is_no_sign_of_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(possible_sums, "_MOST_KEPT", 10)
    rows = [RawRow(line, {"code": str(line), "name": "Oak", "city": "", "beds": "5"}) for line in range(1, 31)]
    rows[20:20] = [RawRow(99, {"code": "", "name": "Zusumma", "city": "", "beds": "100"})]
    found = PossibleSums()
    for count, row in enumerate(rows, 1):
        found.take(row, count)
    assert found.found(rows, set()) == {99}


def test_rows_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(possible_sums, "_MOST_KEPT", 10)
    found = PossibleSums()
    rows = [RawRow(line, {"code": "", "name": "Zusumma", "city": "", "beds": "5"}) for line in range(1, 31)]
    for row in rows:
        found.take(row, 1_000)
    hospitals = [RawRow(line, {"code": "1", "name": "Oak", "city": "A", "beds": "5"}) for line in range(40, 45)]
    assert found.found([*hospitals, RawRow(1, {**rows[0].fields, "beds": "25"})], set()) == set()


def test_a_sum_may_have_the_area_of_the_rows_above_it(tmp_path: Path) -> None:
    rows = [f"K{number:05};Oak {number};Aveda {number // 500};5;1" for number in range(5_000)]
    for area in reversed(range(10)):
        rows.insert(500 * (area + 1), f";Zusumma;Aveda {area};2500;")
    assert rejected(opened(tmp_path, HEADER, *rows)) == {501 * (area + 1) + 1: MAY_BE_A_TOTAL for area in range(10)}
