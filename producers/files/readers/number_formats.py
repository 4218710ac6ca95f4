"""Number formats of spreadsheets that show leading zeros, such as `00000` for a code that is stored as 7."""

import re
from dataclasses import dataclass

# A locale or a color, text in quotes, a sign that is shown, and the width of one that is not.
_TOKEN = re.compile(r'\[\$[^\]]*\]|"([^"]*)"|\\(.)|_.|([0# ()+-])')
_DIGITS = "0#"
_LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class DigitFormat:
    """A format of whole numbers: `0` is a digit that is always shown, `#` one that may be missing."""

    signs: tuple[str, ...]
    are_digits: tuple[bool, ...]

    def shown(self, number: float) -> int | float | str:
        """Return the text that a person sees, or the number itself if the format does not apply to it."""
        if number < 0 or number != int(number) or number >= _LARGEST:
            return number
        digits = str(int(number))
        places = self.are_digits.count(True)
        left = list(digits.rjust(places))
        # What is longer than the format stands before its first digit.
        extra, left = "".join(left[: len(left) - places]), left[len(left) - places :]
        shown = []
        for sign, is_digit in zip(self.signs, self.are_digits, strict=True):
            if not is_digit:
                shown.append(sign)
                continue
            digit = left.pop(0)
            shown.append(extra + (digit if digit != " " else "0" if sign == "0" else ""))
            extra = ""
        return "".join(shown).strip()


def digit_format(code: str) -> DigitFormat | None:
    """Return the format of a format code if it is one of digits that begins with a zero, else None.

    Formats with decimals, thousands or dates show a quantity, which is the same with and without zeros.
    """
    signs: list[str] = []
    are_digits: list[bool] = []
    first = code.partition(";")[0]
    at = 0
    while at < len(first):
        found = _TOKEN.match(first, at)
        if found is None:
            return None
        at = found.end()
        quoted, escaped, plain = found.groups()
        for sign in quoted or escaped or plain or "":
            signs.append(sign)
            are_digits.append(plain is not None and sign in _DIGITS)
    places = [sign for sign, is_digit in zip(signs, are_digits, strict=True) if is_digit]
    if len(places) < 2 or places[0] != "0":
        return None
    return DigitFormat(tuple(signs), tuple(are_digits))
