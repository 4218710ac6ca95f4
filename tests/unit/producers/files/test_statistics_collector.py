import random
import tracemalloc
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.columns import role_in_key, telling_apart
from producers.files.statistics import ColumnStatistics
from producers.files.statistics_collector import StatisticsCollector
from tests.support.tables import statistics_of


def column(cells: Sequence[object]) -> ColumnStatistics:
    return statistics_of(["x", "other"], [(cell, number) for number, cell in enumerate(cells)])["x"]


def test_cells_that_say_not_known_are_not_filled() -> None:
    known = column(["a", "", " ", None, "N/A", "\\N", "sin dato", "不明", "-", "-999", "0", " b "])
    assert (known.rows, known.filled, known.sample) == (12, 3, ("a", "0", "b"))
    assert known.share_filled == pytest.approx(3 / 12)


def test_few_values_are_counted_exactly_and_many_are_not() -> None:
    assert column(["a", "b", "a", "", "a"]).values == {"a": 3, "b": 1}
    assert column([str(number) for number in range(201)]).values == {}
    assert len(column([str(number % 200) for number in range(2_000)]).values) == 200


def test_values_other_than_text_are_kept_in_the_sample() -> None:
    cells = [1.0, 7, True, date(2024, 3, 1), {"coordinates": [1, 2]}, None]
    known = column(cells)
    assert known.sample == tuple(cells[:-1])
    assert list(known.values)[:4] == ["1", "7", "true", "2024-03-01"]
    assert known.looks_like["number"] == 2
    assert known.looks_like["coordinates"] == 1


def test_a_sample_is_spread_over_the_whole_column() -> None:
    known = column([str(number) for number in range(10_000)])
    positions = [int(str(value)) for value in known.sample]
    assert 500 <= len(positions) <= 1_000
    assert {after - before for before, after in pairwise(positions)} == {16}
    assert (positions[0], known.sample_is_complete) == (0, False)


@given(st.lists(st.booleans(), max_size=3_000))
def test_a_sample_takes_every_nth_filled_cell(filled: list[bool]) -> None:
    cells = [str(number) if there else "" for number, there in enumerate(filled)]
    known = column(cells)
    full = [cell for cell in cells if cell]
    step = next(step for step in (1, 2, 4, 8) if len(full[::step]) <= 1_000)
    assert list(known.sample) == full[::step]


def test_long_cells_are_cut_in_the_sample() -> None:
    known = column(["x" * 5_000])
    assert (known.longest, len(str(known.sample[0]))) == (5_000, 300)


@pytest.mark.parametrize(
    ("cells", "unique"),
    [
        (["a", "b", "c"], True),
        (["a", "b", "a"], False),
        (["a", "", ""], True),
        (["0", "0", "a"], True),
        (["None", "N/A", "a"], True),
        (["17", " 17", "18"], False),
        ([17, 17.0, 18], False),
        ([f"H{n}" for n in range(20_000)], True),
        ([*(f"H{n}" for n in range(20_000)), "H3"], False),
    ],
)
def test_a_column_is_unique_if_no_two_rows_share_an_identifying_cell(cells: Sequence[object], unique: bool) -> None:
    assert column(cells).unique is unique


def test_equal_rows_do_not_count_as_repeated() -> None:
    rows = [("a", "1"), ("b", "2"), ("a", "1")]
    known = statistics_of(["x", "y"], rows)
    assert (known["x"].unique, known["x"].identifying) == (True, 3)


def test_columns_that_appear_later_are_missing_before() -> None:
    collector = StatisticsCollector([])
    rows: list[Mapping[str, object]] = [{"a": f"{n}"} for n in range(600)]
    for row in [*rows, {"a": "x", "b": "y"}, {"b": "z"}, {}]:
        collector.add(row)
    known = collector.finish()
    assert list(known) == ["a", "b"]
    assert (known["b"].rows, known["b"].filled, known["b"].unique) == (603, 2, True)
    assert known["a"].filled == 601


def test_columns_beyond_the_limit_are_not_looked_at() -> None:
    collector = StatisticsCollector([], most_columns=10)
    for number in range(30):
        collector.add({f"c{number}": "x"})
    assert len(collector.finish()) == 10


def test_a_file_without_rows_or_columns_has_statistics() -> None:
    assert StatisticsCollector([]).finish() == {}
    known = StatisticsCollector(["a"]).finish()["a"]
    assert (known.rows, known.share_filled, known.share("number"), known.first) == (0, 0.0, 0.0, "")


@given(st.lists(st.tuples(st.sampled_from("ab0 "), st.sampled_from("xy")), max_size=40), st.randoms())
def test_the_order_of_rows_changes_nothing_but_the_order_of_the_sample(
    rows: list[tuple[str, str]], chance: random.Random
) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    for name, known in statistics_of(["a", "b"], rows).items():
        other = statistics_of(["a", "b"], shuffled)[name]
        assert (known.filled, known.identifying, known.unique) == (other.filled, other.identifying, other.unique)
        assert known.values == other.values
        assert sorted(map(str, known.sample)) == sorted(map(str, other.sample))
        assert known.looks_like == other.looks_like


def test_a_wide_file_is_held_in_bounded_memory() -> None:
    chance = random.Random(1)
    names = [f"column {number}" for number in range(100)]
    tracemalloc.start()
    try:
        collector = StatisticsCollector(names)
        for _ in range(1_500):
            collector.add({name: f"{chance.getrandbits(64):x}" for name in names})
        collector.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000


def test_columns_that_repeat_cost_no_memory_for_their_hashes() -> None:
    tracemalloc.start()
    try:
        collector = StatisticsCollector(["a", "b"])
        for number in range(50_000):
            collector.add({"a": str(number % 7), "b": str(number % 300)})
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1_000_000


def test_circles_and_crosses_are_answers() -> None:
    assert column(["○", "\u00d7", "-", "?"]).values == {"○": 1, "\u00d7": 1}


def test_a_word_for_not_known_that_comes_late_is_not_counted() -> None:
    known = column([*(f"{n % 50}" for n in range(1_500)), *("sin dato" for _ in range(1_500))])
    assert (known.filled, len(known.values)) == (1_500, 50)
    assert "sin dato" not in known.sample


def test_large_objects_are_cut_in_the_sample() -> None:
    outline = {"type": "Polygon", "coordinates": [[float(n), float(n)] for n in range(500)]}
    known = column([outline, {"type": "Point", "coordinates": [1.0, 2.0]}])
    assert [len(str(value)) <= 300 for value in known.sample] == [True, True]
    assert (known.looks_like["coordinates"], known.values) == (1, {})


def test_many_columns_of_json_are_learned_in_little_time() -> None:
    collector = StatisticsCollector([])
    for number in range(10_000):
        collector.add({f"column {number}": "x", "name": f"Clinic {number}"})
    known = collector.finish()
    assert len(known) == 10_000
    assert (known["name"].filled, known["name"].rows, known["column 0"].rows) == (10_000, 10_000, 10_000)


def test_an_identifier_that_appears_later_may_be_shared_by_rows_of_one_hospital() -> None:
    rows: list[Mapping[str, object]] = [{"name": f"Clinic {n}", "city": "A"} for n in range(600)]
    named = [{"name": "Clinic", "city": "A", "code": code, "beds": n} for n, code in enumerate(("H1", "H2", "H1"))]
    collector = StatisticsCollector([], role=role_in_key, telling_apart=telling_apart)
    for row in [*rows, *named]:
        collector.add(row)
    known = collector.finish()["code"]
    assert (known.rows, known.unique, known.repeats_hospitals) == (603, False, True)
