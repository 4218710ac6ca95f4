"""Counts different values of a column, and whether a column is unique, in eight bytes for each row.

Values are compared by their 64-bit hashes. Among a million values, two different ones have the same hash with a
probability of one in 36 million; the column would then be taken for one with a repeated value.
"""

from array import array
from collections.abc import Iterable, Iterator

_LARGEST_SET = 1 << 16


def hashes(values: Iterable[object]) -> "array[int]":
    """Return the hash of each value."""
    return array("q", map(hash, values))


def count_distinct(values: "array[int]") -> int:
    """Count the different hashes, 0 aside, in little more memory than the array itself takes."""
    if len(values) <= _LARGEST_SET:
        return len(set(values) - {0})
    return sum(len(set(part) - {0}) for part in _parts(values))


def is_key(keys: "array[int]", rows: "array[int]") -> bool:
    """Return whether rows with the same key are equal as a whole. A key of 0 is missing and says nothing."""
    present = len(keys) - keys.count(0)
    different = count_distinct(keys)
    if different == present:
        return True
    return count_distinct(combined(keys, rows)) == different


def combined(first: "array[int]", second: "array[int]") -> "array[int]":
    """Return the hashes of pairs; 0 where the first or the second is 0."""
    return array("q", [hash(pair) if pair[0] and pair[1] else 0 for pair in zip(first, second, strict=True)])


def _parts(values: "array[int]") -> "Iterator[array[int]]":
    """Divide hashes by their lowest bits, so that a set of one part is small."""
    count = 1
    while len(values) // count > _LARGEST_SET // 2:
        count *= 2
    parts = [array("q") for _ in range(count)]
    appends = [part.append for part in parts]
    lowest = count - 1
    for value in values:
        appends[value & lowest](value)
    return iter(parts)
