"""Which column of a file is which field: by name in many languages, by content, and as the user says."""

from producers.files.columns.choose import choose_columns
from producers.files.columns.keys import telling_columns
from producers.files.columns.mapping import Advice, advice_on_collisions, option
from producers.files.columns.model import FIELDS, ColumnError, Columns, ColumnWishes, Mapped
from producers.files.columns.names import is_serial, role_in_key, telling_apart

__all__ = [
    "FIELDS",
    "Advice",
    "ColumnError",
    "ColumnWishes",
    "Columns",
    "Mapped",
    "advice_on_collisions",
    "choose_columns",
    "is_serial",
    "option",
    "role_in_key",
    "telling_apart",
    "telling_columns",
]
