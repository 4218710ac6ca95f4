"""A note on names that a program has cut at a number of characters: "Government Regional Eye Hospit"."""

from collections import Counter

from producers.files.statistics import ColumnStatistics

_FEWEST_CHARACTERS, _LONGEST_IN_SAMPLE = 20, 300
_FEWEST, _LEAST_SHARE, _MOST_SHARE = 5, 0.02, 0.5
# Names that nobody has cut become fewer the longer they are.
_TIMES_AS_MANY, _LENGTHS_BELOW = 3, 3


def on_cut_names(column: str, known: ColumnStatistics) -> list[str]:
    """Return a note if many names have exactly as many characters as the longest one, and few have hardly fewer."""
    names = {str(cell).strip() for cell, _ in known.known_cells}
    lengths = Counter(map(len, names))
    longest = max(lengths, default=0)
    at_end = lengths[longest]
    below = max(lengths[longest - fewer] for fewer in range(1, _LENGTHS_BELOW + 1))
    if (
        not _FEWEST_CHARACTERS <= longest < _LONGEST_IN_SAMPLE
        or not max(_FEWEST, _LEAST_SHARE * len(names)) <= at_end <= _MOST_SHARE * len(names)
        or at_end < _TIMES_AS_MANY * below
    ):
        return []
    note = (
        f"many names in {column} have exactly {longest} characters, and none has more: they seem to be cut; get "
        "the list with whole names, because hospitals whose names begin alike would be taken for one"
    )
    return [note]
