"""Shows how a text reads in the encodings that are plausible, so that a person can say which one is right."""

import re
from collections.abc import Sequence

from producers.files.detection.judging import Reading

# Candidates this much less likely than the best are not shown.
_SHOWN_WITHIN, _MOST_SHOWN, _CELLS_SHOWN, _CELL_LENGTH = 40.0, 6, 3, 24
_MOST_COMPARED = 3


def shown(lines: Sequence[bytes], readings: Sequence[Reading]) -> str:
    """Return three cells of these lines in each of the likely readings, which come likeliest first."""
    best = readings[0].cost
    likely = [reading.encoding for reading in readings if reading.cost - best < _SHOWN_WITHIN]
    cells = _cells(lines, likely[:_MOST_COMPARED])
    texts_by = {encoding: [_readable(cell, encoding) for cell in cells] for encoding in likely}
    # An encoding in which every cell has bytes that mean nothing is not the right one.
    readable = {encoding: texts for encoding, texts in texts_by.items() if any("\ufffd" not in it for it in texts)}
    return "; ".join(
        f"{encoding}: " + ", ".join(f"'{text}'" for text in texts)
        for encoding, texts in list((readable or texts_by).items())[:_MOST_SHOWN]
    )


def _cells(lines: Sequence[bytes], likely: Sequence[str]) -> list[bytes]:
    """Return three cells, the same for each encoding: those that the likeliest ones read most differently.

    Of these, the ones that hold most beyond ASCII.
    """
    distinct = dict.fromkeys(
        _around_first_beyond_ascii(cell.strip())
        for line in lines
        for cell in re.split(rb'[,;\t"]+', line)
        if not cell.isascii() and len(cell) > 2
    )
    cells = list(distinct or dict.fromkeys(map(_around_first_beyond_ascii, lines)))
    readings = {cell: len({cell.decode(encoding, "replace") for encoding in likely}) for cell in cells}
    cells.sort(key=lambda cell: (-readings[cell], -sum(byte > 127 for byte in cell)))
    # A cell that reads alike in the likeliest encodings says nothing, if there are others.
    return [cell for cell in cells if readings[cell] > 1][:_CELLS_SHOWN] or cells[:_CELLS_SHOWN]


def _around_first_beyond_ascii(cell: bytes) -> bytes:
    first = next((index for index, byte in enumerate(cell) if byte > 127), 0)
    begin = max(0, first - _CELL_LENGTH // 2) if len(cell) > _CELL_LENGTH else 0
    return cell[begin : begin + _CELL_LENGTH]


def _readable(cell: bytes, encoding: str) -> str:
    text = cell.decode(encoding, "replace").removesuffix("\ufffd")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
