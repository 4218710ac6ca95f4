import tracemalloc
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.uniqueness import FirstRows, HospitalHashes, combined, count_distinct, folded, hashes, is_key

SMALL = st.lists(st.integers(-3, 3), max_size=30)


@pytest.mark.parametrize("repeats", [1, 2])
def test_distinct_values_are_counted_in_parts_of_a_large_column(repeats: int) -> None:
    values = hashes(f"H{number}" for number in range(100_000)) * repeats
    values.append(0)
    assert count_distinct(values) == 100_000


@given(SMALL)
def test_distinct_values_are_counted_without_the_missing_ones(values: list[int]) -> None:
    assert count_distinct(array("q", values)) == len(set(values) - {0})


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=12))
def test_a_key_says_which_row_it_is(rows: list[tuple[int, int]]) -> None:
    keys, contents = array("q", [key for key, _ in rows]), array("q", [content for _, content in rows])
    known = {(key, content) for key, content in rows if key}
    assert is_key(keys, contents) == (len({key for key, _ in known}) == len(known))


def test_a_pair_is_missing_if_one_of_it_is() -> None:
    pairs = combined(array("q", [1, 0, 1, 2, 1]), array("q", [5, 5, 0, 5, 5]))
    assert [bool(pair) for pair in pairs] == [True, False, False, True, True]
    assert pairs[0] == pairs[4] != pairs[3]


def test_texts_are_folded_many_at_once() -> None:
    texts = ["NORTH   Hospital", "E\u0301lan", "", "Stra\u00dfe"]
    assert folded(texts) == ["north hospital", "\u00e9lan", "", "strasse"]
    assert folded(["NORTH  Hospital", ""]) == ["north hospital", ""]
    assert folded(["A\0B", "C"]) == ["A\0B", "C"]
    assert folded([]) == []


def test_rows_are_compared_in_what_tells_hospitals_apart_or_as_a_whole() -> None:
    found = HospitalHashes(lambda columns: [column for column in columns if column == "name"])
    whole = array("q", [1, 2, 3])
    found.take_in({"name": ["A", "a", "b"], "beds": ["1", "2", "1"]}, whole)
    assert found.hashes == whole
    found.learn(["name", "beds"])
    found.take_in({"name": ["A", "a", "b"], "beds": ["1", "2", "1"]}, whole)
    assert found.hashes[3] == found.hashes[4] != found.hashes[5]
    found.forget()
    assert not found.hashes


def test_pairs_take_little_more_memory_than_their_numbers() -> None:
    count = 200_000
    first, second = (array("q", range(start, start + count)) for start in (0, 7))
    tracemalloc.start()
    try:
        pairs = combined(first, second)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(pairs) == [hash(pair) if all(pair) else 0 for pair in zip(first, second, strict=True)]
    assert peak < 4 * 8 * count


def test_the_first_row_of_each_key_is_found() -> None:
    keys = [hash(str(number % 5_000)) for number in range(20_000)]
    firsts = FirstRows()
    assert [firsts.first(key, row) for row, key in enumerate(keys)] == [row % 5_000 for row in range(20_000)]
