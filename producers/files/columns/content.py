"""Whether the content of a column contradicts the field that its name says."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from pydantic import TypeAdapter, ValidationError

from producers.files.shapes import Shape
from producers.files.statistics import ColumnStatistics
from producers.files.values import CellReader, UnreadableCell
from producers.files.values.angles import Axis
from producers.files.values.coordinates import is_readable_angle, is_readable_pair
from producers.files.values.numbers import WholeNumberReader
from producers.files.values.postal_towns import postal_town_style
from producers.files.values.yes_no import YesNoReader, yes_no_style
from producers.files.words import fold, names_a_hospital, word_set
from worker.contract.fields import Source

MOST_SOURCES = 20
"""A source column has at most so many values: it names lists, not hospitals."""
FEW_ROWS = 20
"""Fewer rows say nothing about how often a value repeats."""
_MOST = 0.5
_NEARLY_ALL = 0.9
_FEWEST_POSTAL_CODES = 0.2
_LONGEST_POSTAL_CODE = 15
_FEWEST_LETTERS = 3
# Those of Iceland have three digits.
_SHORTEST_POSTAL_CODE = 3
_CHARACTERS_SHOWN = 40
# Regions are called so in Burkina Faso, Cameroon, Haiti and Portugal.
_AREAS = frozenset(("centre", "center", "centro"))
# S08000015, PH082602000, ITC1, US-06: codes of statistics. "D12" and "Ward 5" may be what an area is called.
_CODE = re.compile(
    r"(?=(?:[^\d]*\d){3})[A-Za-z]{1,4}[-_.]?\d[\dA-Za-z._-]*|[A-Z]{2}[-_.]\d{1,3}|[A-Z]{2}[A-Z]\d{1,2}"
)
# Islands have numbers of five digits; with fewer it is an area code, an extension or an emergency number.
_SHORTEST_TELEPHONE = 5
_NUMBERS = frozenset(("beds", "latitude", "longitude", "emergency_services"))
_OBJECTS = frozenset(("location", "attributes"))
_ZERO = re.compile(r"[+-]?0+([.,]0+)?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Some converters of KML number the places, and have their names in an HTML table.
_NUMBERED = re.compile(r"[a-z]+_\d+", re.IGNORECASE)
_HTML_TABLE = re.compile(r"<t(able|[rhd])\b", re.IGNORECASE)
# What no text of a hospital is, and how a message says so.
_NOT_TEXT: tuple[tuple[Shape, str], ...] = (
    ("number", "is a number"),
    ("date", "is a date"),
    ("coordinates", "is a pair of coordinates"),
    ("web address", "is a web address"),
    ("email address", "is an e-mail address"),
)


def contradiction(field: str, column: ColumnStatistics, *, code: bool = False) -> str | None:
    """Return what is wrong with the content of a column for a field, or None.

    An example is "is a number in every row (first: 48319756)". `code` says that the column's name promises codes of
    the field. A column without content contradicts nothing.
    """
    check = _CHECKS.get(field)
    if not column.filled and column.placeholder:
        return f"is not known in any row (first: {_shown(column.placeholder)})"
    if check is None or not column.sample:
        return None
    if field not in _OBJECTS and column.share_of(lambda value: isinstance(value, Mapping | list)) >= _MOST:
        return "is a JSON object or list in most rows"
    if field not in _NUMBERS:
        # Lists write 0 for text and places that are not known.
        known = column.without(_is_zero)
        if not known.filled:
            return "is 0 in every row"
        column = known
    problem = check(column, code)
    return None if problem is None else f"{problem} (first: {_shown(column.first)})"


def has_postal_towns(column: ColumnStatistics) -> bool:
    """Return whether most cells have a postal code and a town."""
    return postal_town_style([value for value, _ in column.known_cells]) is not None


@cache
def is_source_name(value: str) -> bool:
    """Return whether a value can be the source of a record."""
    try:
        TypeAdapter(Source).validate_python(value)
    except ValidationError:
        return False
    return True


def _is_zero(value: object) -> bool:
    return _ZERO.fullmatch(str(value)) is not None


def _in_rows(column: ColumnStatistics, share: float) -> str:
    if share < 1:
        return "in most rows"
    return "in every row" if column.knows_all else f"in all {len(column.sample)} rows looked at"


def _shown(value: str) -> str:
    text = " ".join(value.split())
    return text if len(text) <= _CHARACTERS_SHOWN else text[: _CHARACTERS_SHOWN - 1] + "…"


def _not_text(
    column: ColumnStatistics, *, numbers: float = _MOST, shapes: Sequence[tuple[Shape, str]] = _NOT_TEXT
) -> str | None:
    share = column.share_of(lambda value: _UUID.fullmatch(str(value)) is not None)
    if share >= _MOST:
        return f"is an identifier of a database {_in_rows(column, share)}"
    for shape, problem in shapes:
        share = column.share(shape)
        if share >= (numbers if shape == "number" else _MOST):
            return f"{problem} {_in_rows(column, share)}"
    return None


def _answers(column: ColumnStatistics) -> str | None:
    share = column.share("yes or no")
    # One value alone may be a code: NO is Norway, CO is Colorado. A few letters may be names: X and Y.
    letters = all(len(value) == 1 and value.isalpha() for value in column.values)
    enough = not letters or column.filled >= _FEWEST_LETTERS * len(column.values)
    if share >= _NEARLY_ALL and len(column.values) > 1 and enough:
        return f"is yes or no {_in_rows(column, share)}"
    return None


def _hospital_name(column: ColumnStatistics, _code: bool) -> str | None:
    if len(column.values) == 1 and column.filled >= FEW_ROWS:
        return "is the same in every row"
    share = column.share_of(lambda value: _NUMBERED.fullmatch(str(value)) is not None)
    if share >= _NEARLY_ALL:
        return f"is a word with a running number {_in_rows(column, share)}"
    share = column.share_of(lambda value: _HTML_TABLE.search(str(value)) is not None)
    if share >= _MOST:
        return f"is a table {_in_rows(column, share)}"
    return _not_text(column) or _answers(column)


def _place(column: ColumnStatistics, _code: bool) -> str | None:
    # A name that promises codes changes nothing: "13" is not a name of a region, and TX is one of a state.
    return _not_text(column) or _codes(column) or _answers(column) or _status(column) or _names(column)


def _codes(column: ColumnStatistics) -> str | None:
    share = column.share_of(lambda value: _CODE.fullmatch(str(value).strip()) is not None)
    return f"is a code {_in_rows(column, share)}" if share >= _MOST else None


def _names(column: ColumnStatistics) -> str | None:
    # "Entidad" is a state in Mexico and an institution in Colombia.
    share = column.share_of(lambda value: fold(str(value)) not in _AREAS and names_a_hospital(str(value)))
    return f"names hospitals {_in_rows(column, share)}" if share >= _MOST else None


def _status(column: ColumnStatistics) -> str | None:
    share = column.share_of(lambda value: fold(str(value)) in word_set("status"))
    return f"says whether a hospital is open {_in_rows(column, share)}" if share >= _MOST else None


def _country(column: ColumnStatistics, code: bool) -> str | None:
    share = column.share("digits")
    return f"is a code with digits {_in_rows(column, share)}" if share >= _MOST else _place(column, code)


def _address(column: ColumnStatistics, _code: bool) -> str | None:
    return _not_text(column, numbers=_NEARLY_ALL) or _answers(column)


def _ownership(column: ColumnStatistics, code: bool) -> str | None:
    return _not_text(column, numbers=2 if code else _NEARLY_ALL) or _answers(column) or _status(column)


def _postal_code(column: ColumnStatistics, _code: bool) -> str | None:
    if has_postal_towns(column):
        return None
    if column.longest < _SHORTEST_POSTAL_CODE:
        return "is too short for a postal code in every row"
    lengths = sorted(len(str(value)) for value in column.sample)
    if column.share("digits") < _FEWEST_POSTAL_CODES or lengths[len(lengths) // 2] > _LONGEST_POSTAL_CODE:
        return f"is not a postal code {_in_rows(column, 1 - column.share('digits'))}"
    return _not_text(column, numbers=2)


def _phone(column: ColumnStatistics, _code: bool) -> str | None:
    share = column.share("text")
    if share >= _MOST:
        return f"is text {_in_rows(column, share)}"
    share = column.share_of(lambda value: sum(map(str.isdecimal, str(value))) < _SHORTEST_TELEPHONE)
    if share >= _NEARLY_ALL:
        return f"is too short for a telephone number {_in_rows(column, share)}"
    return _not_text(column, numbers=2)


def _beds(column: ColumnStatistics, _code: bool) -> str | None:
    share = 1 - column.share("digits")
    if share > _MOST:
        return f"is not a number {_in_rows(column, share)}"
    # "1 025.0" is a number, and looks like two.
    are_numbers = column.share_of(lambda value: _is_read(WholeNumberReader(""), value)) > _MOST
    shapes = [it for it in _NOT_TEXT if it[0] != "coordinates"] if are_numbers else _NOT_TEXT
    return _not_text(column, numbers=2, shapes=shapes)


def _emergency_services(column: ColumnStatistics, _code: bool) -> str | None:
    reader = YesNoReader(yes_no_style([value for value, _ in column.known_cells]))
    share = column.share_of(lambda value: not _is_read(reader, value))
    return f"is not yes or no {_in_rows(column, share)}" if share > _MOST else None


def _is_read(reader: CellReader, value: object) -> bool:
    try:
        reader.read((value,))
    except UnreadableCell:
        return False
    return True


def _degrees(axis: Axis, limit: int) -> "Callable[[ColumnStatistics, bool], str | None]":
    def check(column: ColumnStatistics, _code: bool) -> str | None:
        share = 1 - column.share(axis)
        if share > _MOST:
            # A name that says so is enough for whatever the cells are read by, such as words for hemispheres.
            share = 1 - column.share_of(lambda value: is_readable_angle(value, axis))
        return f"is not in degrees from -{limit} to {limit} {_in_rows(column, share)}" if share > _MOST else None

    return check


def _location(column: ColumnStatistics, _code: bool) -> str | None:
    share = 1 - column.share("coordinates")
    if share > _MOST:
        # A name that says so is enough for whatever the cells are read by: words for hemispheres, six numbers.
        share = 1 - column.share_of(is_readable_pair)
    return f"is not a pair of coordinates {_in_rows(column, share)}" if share > _MOST else None


def _observed_at(column: ColumnStatistics, _code: bool) -> str | None:
    # Spreadsheets and databases write instants as numbers; a year alone is none.
    share = 1 - max(column.share("date"), column.share("number") - column.share("year"))
    return f"is not a date {_in_rows(column, share)}" if share > _MOST else None


def _source(column: ColumnStatistics, _code: bool) -> str | None:
    if not column.values or len(column.values) > MOST_SOURCES or not all(map(is_source_name, column.values)):
        return "contains no names of sources such as cms"
    if column.share_filled < _MOST:
        return "is empty in most rows"
    return None


def _hospital_type(column: ColumnStatistics, _code: bool) -> str | None:
    share = 1 - column.share_of(lambda value: fold(str(value)) in word_set("speciality"))
    return f"is neither single nor multi speciality {_in_rows(column, share)}" if share > _MOST else None


def _attributes(column: ColumnStatistics, _code: bool) -> str | None:
    objects = sum(isinstance(value, Mapping) for value in column.sample)
    return None if objects >= _MOST * len(column.sample) else "is not a JSON object in most rows"


_CHECKS: Mapping[str, Callable[[ColumnStatistics, bool], str | None]] = {
    "hospital_name": _hospital_name,
    "hospital_type": _hospital_type,
    "source": _source,
    "address": _address,
    "city": _place,
    "state": _place,
    "county": _place,
    "country": _country,
    "postal_code": _postal_code,
    "phone": _phone,
    "ownership": _ownership,
    "emergency_services": _emergency_services,
    "beds": _beds,
    "latitude": _degrees("latitude", 90),
    "longitude": _degrees("longitude", 180),
    "location": _location,
    "observed_at": _observed_at,
    "attributes": _attributes,
}
