"""Reads the cells of a file as values of the contract: text, numbers, dates, coordinates, yes and no.

`choose_readers` decides once for a file how each column is to be read; `RowReader` makes records of its rows.
"""

from producers.files.values.cells import MISSING, CellReader, DateOrder, FileRow, LeftOut, UnreadableCell
from producers.files.values.choosing import Readers, ValueWishes, choose_readers
from producers.files.values.rows import RowReader

__all__ = [
    "MISSING",
    "CellReader",
    "DateOrder",
    "FileRow",
    "LeftOut",
    "Readers",
    "RowReader",
    "UnreadableCell",
    "ValueWishes",
    "choose_readers",
]
