"""Converts the values of a file to the types of the contract: text to numbers, booleans and points.

A converter gets trimmed text that is not empty, or a JSON value. It returns a value of another type unchanged, and
the contract then reports what is wrong with it. `ValueError` carries the reason and never the value.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from worker.errors import PayloadProblem

Converter = Callable[[object], object]
Plan = Iterable[tuple[str, str, Converter | None]]
"""Triples of a column, the field that it contains, and the converter of its values."""

# Spreadsheets write whole numbers as 120.0. No field accepts more than 18 digits.
_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_YES_NO = dict.fromkeys(("yes", "y", "true", "t", "1"), True) | dict.fromkeys(("no", "n", "false", "f", "0"), False)


def _whole_number(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _WHOLE.fullmatch(value):
        raise ValueError("expected a whole number such as 120, without thousands separators")
    return int(value.partition(".")[0])


def _decimal_number(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _DECIMAL.fullmatch(value):
        raise ValueError("expected a number such as 48.85, with a decimal point")
    return float(value)


def _boolean(value: object) -> object:
    if not isinstance(value, str):
        return value
    boolean = _YES_NO.get(value.casefold())
    if boolean is None:
        raise ValueError("expected yes or no")
    return boolean


def _lower_case(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _number_as_text(value: object) -> object:
    # JSON feeds write identifiers of digits as numbers. A bool is an instance of int, so it is excluded.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


CONVERTERS: dict[str, Converter] = {
    "hospital_type": _lower_case,
    "external_id": _number_as_text,
    "postal_code": _number_as_text,
    "phone": _number_as_text,
    "emergency_services": _boolean,
    "beds": _whole_number,
    "latitude": _decimal_number,
    "longitude": _decimal_number,
}


def record_values(fields: Mapping[str, Any], plan: Plan) -> tuple[dict[str, Any], list[PayloadProblem]]:
    """Return the values to validate as a `HospitalRecord`, and the problems of values that cannot be converted.

    Text is trimmed. An empty value means unknown and is left out.
    """
    values: dict[str, Any] = {}
    problems: list[PayloadProblem] = []
    for column, target, convert in plan:
        value = fields.get(column)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            continue
        if convert is not None:
            try:
                value = convert(value)
            except ValueError as error:
                problems.append(PayloadProblem(target, str(error)))
                continue
        values[target] = value
    if "latitude" in values or "longitude" in values:
        latitude, longitude = values.pop("latitude", None), values.pop("longitude", None)
        if latitude is not None and longitude is not None:
            values["location"] = {"coordinates": [longitude, latitude]}
        elif not problems:
            problems.append(PayloadProblem("location", "needs both latitude and longitude"))
    return values, problems
