"""Counts different values of a column, and whether a column is unique, in eight bytes for each row.

Values are compared by their 64-bit hashes. Among a million values, two different ones have the same hash with a
probability of one in 36 million; the column would then be taken for one with a repeated value.
"""

import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat

# Its set takes about a megabyte, so that a large file takes hardly more memory than a small one.
_LARGEST_SET = 1 << 14
_SMALLEST_TABLE = 1 << 10


def hashes(values: Iterable[object]) -> "array[int]":
    """Return the hash of each value."""
    return array("q", map(hash, values))


class HospitalHashes:
    """For each row, the hash of the cells that tell its hospital from others, or of all of its cells.

    `telling_apart` says which of the columns do so by their names; if none do, every difference counts.
    """

    def __init__(self, telling_apart: Callable[[Sequence[str]], Sequence[str]]) -> None:
        self.hashes = array("q")
        self._telling_apart = telling_apart
        self._columns: Sequence[str] = ()

    def learn(self, columns: Sequence[str]) -> None:
        """Take the names of all columns that are known by now."""
        self._columns = self._telling_apart(columns)

    def take_in(self, texts: Mapping[str, Sequence[str]], rows: "array[int]") -> None:
        """Add rows: their cells by column, and the hashes of all of their cells."""
        columns = tuple(column for column in self._columns if column in texts)
        if columns:
            # The names of the columns are hashed too: rows of JSON may have others.
            self.hashes.extend(hashes(zip(repeat(columns), *(folded(texts[column]) for column in columns))))
        else:
            self.hashes.extend(rows)

    def forget(self) -> None:
        """Free the memory."""
        self.hashes = array("q")


class FirstRows:
    """Which row was the first with a key, for keys that are hashes, in about 25 bytes for each key."""

    def __init__(self) -> None:
        self._keys, self._rows = array("q"), array("i")
        # The number of a key, from 1, at the slot that its lowest bits say or at the next free one.
        self._slots = array("i", [0]) * _SMALLEST_TABLE

    def first(self, key: int, row: int) -> int:
        """Return the first row that was given with this key: this one, if none was before."""
        slot = self._slot(key)
        if number := self._slots[slot]:
            return self._rows[number - 1]
        self._keys.append(key)
        self._rows.append(row)
        self._slots[slot] = len(self._keys)
        if 2 * len(self._keys) > len(self._slots):
            self._slots = array("i", [0]) * (2 * len(self._slots))
            for number, each in enumerate(self._keys, 1):
                self._slots[self._slot(each)] = number
        return row

    def _slot(self, key: int) -> int:
        slots, keys, lowest = self._slots, self._keys, len(self._slots) - 1
        slot = key & lowest
        while (number := slots[slot]) and keys[number - 1] != key:
            slot = (slot + 1) & lowest
        return slot


def folded(texts: Sequence[str]) -> list[str]:
    """Return texts so that case, blanks and composed letters make no difference, many at once."""
    # One text is folded in a tenth of the time of its parts. It cannot be split again if a part has a NUL.
    text = "\0".join(texts)
    text = text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
    while "  " in text:
        text = text.replace("  ", " ")
    parts = text.split("\0")
    return parts if len(parts) == len(texts) else list(texts)


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
    found = array("q")
    for start in range(0, len(first), _LARGEST_SET):
        # A list of all of them would take five times as much memory as the array.
        part = slice(start, start + _LARGEST_SET)
        pairs = zip(first[part], second[part], strict=True)
        found.extend(array("q", [hash(pair) if pair[0] and pair[1] else 0 for pair in pairs]))
    return found


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
