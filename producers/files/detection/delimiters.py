"""Finds the delimiter and the quote of a delimited text from its first lines."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_USUAL = ",;\t|"
_SELDOM = "¬^~§¦\x1f\x01¤†‡‖│:#$@*"
_SEP_LINE = re.compile(r'\s*"?sep=(.)"?[,;\s]*', re.IGNORECASE)
_PAIR = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
# What a program writes for a tab, a line break and the character 0.
_BLANKS = {"t": " ", "n": " ", "r": " ", "0": ""}
_STEADY = 0.6
_VERY_STEADY = 0.9
_NARROWEST_HEADER = 3


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands between and around the cells. `named` says that a line `sep=` above the header gave it."""

    delimiter: str
    quote: str = '"'
    escape: str = ""
    named: bool = False


def find_marks(lines: Sequence[str], wish: str | None = None) -> Marks:
    """Return the marks of a text with these first lines. `wish` is the delimiter that the user has named."""
    first = next((line for line in lines if line.strip()), "")
    named = _SEP_LINE.fullmatch(first.rstrip("\r\n") if not first.rstrip("\r\n").endswith("sep=\t") else first)
    body = [line for line in lines if line.strip() and not (named and line is first)]
    quote = _quote(body)
    escape = "\\" if _is_escaped(body, quote) else ""
    delimiter = wish or (named.group(1) if named else None) or _delimiter(body, quote, escape)
    return Marks(delimiter, quote, escape, named is not None)


def split_rows(lines: Sequence[str], marks: Marks) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of these lines, each with the number of lines read so far. Broken quotes are not refused."""
    rows = csv.reader(
        unescaped(lines, marks),
        delimiter=marks.delimiter,
        quotechar=marks.quote,
        escapechar=marks.escape or None,
        doublequote=True,
        skipinitialspace=True,
    )
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            continue
        yield rows.line_num, row


def unescaped(lines: Iterable[str], marks: Marks) -> Iterator[str]:
    r"""Return the lines without what a backslash means besides a mark: MySQL's `\N` for nothing, blanks, letters.

    An error that `lines` raises does not end them.
    """
    if not marks.escape:
        return iter(lines)
    cell = re.escape(marks.delimiter)
    nothing = re.compile(rf"(?:(?<={cell})|^)\\N(?={cell}|\r?\n?$)")

    def read(line: str) -> str:
        return _PAIR.sub(_meant, nothing.sub("", line)) if "\\" in line else line

    return map(read, lines)


def _meant(pair: re.Match[str]) -> str:
    if len(pair[1]) > 1:
        return chr(int(pair[1][1:], 16))
    return _BLANKS.get(pair[1], pair[0])


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a text looks when it is split at a mark: its table begins at row `first` and is `width` cells wide.

    `share` of the rows from there on have that width, `begins` says that the first of them has it, and `gaps` that
    rows below it do not contain the mark at all; `decimal`, that it only ever stands between digits.
    """

    mark: str
    first: int
    width: int
    share: float
    begins: bool
    gaps: bool
    decimal: bool

    @property
    def is_sure(self) -> bool:
        # Signs within one column, such as that between two coordinates, make two cells of each row.
        begins = self.begins and self.first == 0 and self.share >= 0.8
        return begins and self.width > 2 and not self.decimal and not self.gaps

    @property
    def rank(self) -> tuple[bool, bool, int, bool, float, int]:
        # Decimal commas, and the commas of addresses, are in all rows but not in the header above them.
        share = round(self.share * 5) / 5
        return not self.gaps, self.begins, -self.first, not self.decimal, share, self.width


def _delimiter(lines: Sequence[str], quote: str, escape: str) -> str:
    usual = [fit for mark in _USUAL if (fit := _fit(lines, Marks(mark, quote, escape))) and fit.share >= _STEADY]
    best = max(usual, key=lambda fit: fit.rank, default=None)
    if best is not None and best.is_sure:
        return best.mark
    for mark in _SELDOM:
        fit = _fit(lines, Marks(mark, quote, escape))
        if fit is None or fit.share < _VERY_STEADY or not fit.begins or (fit.width < 3 and mark not in "¬^§¦"):
            continue
        if best is None or (fit.rank > best.rank and not _is_below_header(lines, fit, best, quote)):
            return mark
    if best is not None and not _is_prose(lines, best.mark):
        return best.mark
    header = next(iter(lines), "")
    most = max(_USUAL, key=lambda mark: _count_outside_quotes(header, mark, quote))
    return most if most in header else ","


def _fit(lines: Sequence[str], marks: Marks) -> _Fit | None:
    if not any(marks.delimiter in line for line in lines) or _is_amid_quotes(lines, marks):
        return None
    widths = [len(row) for _, row in split_rows(lines, marks) if any(cell.strip() for cell in row)]
    counts = Counter(width for width in widths if width > 1)
    if not counts:
        return None
    width = max(counts, key=lambda width: (counts[width], width))
    first = next(index for index, other in enumerate(widths) if other > 1)
    # Lines of one cell above the table are titles, and not counted.
    considered = widths[first:] if first <= len(widths) // 2 else widths
    share = counts[width] / len(considered)
    mark = re.escape(marks.delimiter)
    decimal = not any(re.search(rf"(?<!\d){mark}|{mark}(?!\d)", line) for line in lines)
    return _Fit(marks.delimiter, first, width, share, widths[first] == width, 1 in widths[first:], decimal)


def _is_amid_quotes(lines: Sequence[str], marks: Marks) -> bool:
    """Return whether most quotes around the first cell of a line end before something else than the mark."""
    quote = marks.quote
    cell = re.compile(rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote} *([^ \r\n])")
    after = [match[1] for line in lines if (match := cell.match(line))]
    return 2 * after.count(marks.delimiter) < len(after)


def _is_below_header(lines: Sequence[str], fit: _Fit, best: _Fit, quote: str) -> bool:
    """Return whether a line above the rows that have a mark is a header that a better mark divides.

    Times and links are full of marks that no name of a column has. A title has a comma or two as well, but not as
    many as the rows.
    """
    least = max(_NARROWEST_HEADER, best.width - 1) - 1
    return any(_count_outside_quotes(line, best.mark, quote) >= least for line in lines[: fit.first])


def _is_prose(lines: Sequence[str], mark: str) -> bool:
    """Return whether the mark is only the comma of "City, State" in a list of one column."""
    if mark != "," or mark in next(iter(lines), mark):
        return False
    return all(line.count(", ") == line.count(",") for line in lines)


def _quote(lines: Sequence[str]) -> str:
    text = "\n".join(line.strip() for line in lines)
    around = {
        quote: len(re.findall(rf"(?:^|[,;\t|]) ?{quote}[^{quote}\n]*{quote}(?=$|[,;\t|])", text, re.MULTILINE))
        for quote in ('"', "'")
    }
    return "'" if around["'"] > 2 * around['"'] and around["'"] >= len(lines) else '"'


def _is_escaped(lines: Sequence[str], quote: str) -> bool:
    """Return whether a backslash before a quote means that the quote is text."""
    text = "".join(lines)
    escaped = f"\\{quote}"
    if not re.search(rf"\\{quote}(?![,;\t|\r\n]|$)", text):
        # A path may end with a backslash. Between letters it can only stand for an apostrophe.
        return re.search(r"[^\W\d]\\'[^\W\d]", text) is not None
    doubled = text.replace(escaped, "").replace(f",{quote}{quote}", "")
    return f"{quote}{quote}" not in doubled


def _count_outside_quotes(line: str, mark: str, quote: str) -> int:
    # A doubled quote inside a quoted name adds an empty part outside the quotes, which changes nothing.
    return sum(part.count(mark) for part in line.split(quote)[::2])
