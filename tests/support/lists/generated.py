"""A Hypothesis strategy of whole lists of hospitals, each with what is true of its hospitals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from producers.files import FileWishes
from producers.files.columns import ColumnWishes
from producers.files.table import Wishes
from tests.support.lists.hospitals import Facts, Language, languages
from tests.support.lists.spelling import spellings
from tests.support.lists.tables import Form, Table, tables
from tests.support.lists.writing import COMPRESSIONS, Delimited, geojson, json_text, ndjson, workbook

SOURCE = "moh"
_FORMS: tuple[Form, ...] = (*("delimited",) * 6, "ndjson", "json", "geojson", "workbook")
_UNICODE = ("utf-8", "utf-8-sig", "utf-16")
_ENCODINGS = (
    *_UNICODE, "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "gb18030", "cp950",
    "cp932", "euc_jp", "cp949", "koi8_r",
)  # fmt: skip
_TITLES: tuple[list[str], ...] = ([], [], ["{}"], ["{}, 2024", "{}"], ["{}; {}", "", "01.03.2024"])
_FEWEST_WITHOUT_HEADER = 5
_DELIMITERS = (",", ",", ";", ";", "\t", "\t", "|", "¬", "^")


@dataclass(frozen=True, kw_only=True)
class GeneratedList:
    """A list: its bytes, what its user says, and what is true of each of its rows.

    `truth` knows only what the list says. `columns` has the column of each field. `answers` is what the user says
    when the list is refused, by the option that the refusal must name: its bytes may read like text in several
    encodings, few rows do not show that they have no header, and rows that know little look like titles. `about`
    describes the list.
    """

    data: bytes = field(repr=False)
    wishes: FileWishes = field(repr=False)
    truth: list[Facts] = field(repr=False)
    columns: dict[str, str]
    answers: dict[str, dict[str, Any]]
    about: str


@st.composite
def generated_lists(draw: st.DrawFn) -> GeneratedList:
    """Draw a list in a random language, spelling, format, encoding and compression."""
    name = draw(st.sampled_from(sorted(languages())))
    language = languages()[name]
    form = draw(st.sampled_from(_FORMS))
    is_native = form != "delimited" and draw(st.booleans())
    spelling = None if is_native else draw(spellings(language))
    header_language = draw(st.sampled_from([language, language, languages()["English"]]))
    has_header = form not in ("delimited", "workbook") or draw(st.integers(0, 5)) > 0
    # Fewer rows do not show where their cells end, or that none of them is a header.
    table = draw(tables(language, header_language, form, spelling, 1 if has_header else _FEWEST_WITHOUT_HEADER))
    titles = draw(_titles(language)) if has_header else []
    text, data = "", b""
    if form == "workbook":
        data = workbook(titles, table.header if has_header else None, table.rows)
    elif form == "delimited":
        text = draw(_shapes(titles)).text(table.header if has_header else None, table.rows)
    else:
        text = draw(_json(table, form))
    is_named = bool(text) and draw(st.integers(0, 3)) == 0
    usual = draw(st.sampled_from([_UNICODE, tuple(language.encodings), tuple(language.encodings)]))
    possible = [it for it in (_ENCODINGS if is_named else usual) if _can_write(it, text)]
    encoding = draw(st.sampled_from(possible or _UNICODE))
    compression = draw(st.sampled_from(sorted(COMPRESSIONS)))
    names = table.header if has_header else [str(number) for number in range(1, len(table.fields) + 1)]
    columns = {field: column for field, column in zip(table.fields, names, strict=True) if field}
    if form == "workbook" and not has_header:
        # A sheet ends with its last filled column.
        width = max(index for row in table.rows for index, cell in enumerate(row) if cell not in (None, ""))
        columns = {field: column for field, column in columns.items() if int(column) <= width + 1}
    says_header = not has_header and draw(st.booleans())
    answers: dict[str, dict[str, Any]] = {}
    if text and not is_named and encoding not in _UNICODE:
        answers["--encoding"] = {"encoding": encoding}
    if not has_header and not says_header:
        answers["--no-header"] = {"header": False}
    if titles:
        answers["--skip-rows"] = {"skip_rows": len(titles) + text.startswith("sep=")}
    reading = Wishes(
        encoding=encoding.removesuffix("-sig") if is_named else None, header=False if says_header else None
    )
    return GeneratedList(
        data=COMPRESSIONS[compression](data or text.encode(encoding)),
        wishes=FileWishes(
            reading=reading, columns=ColumnWishes(source=SOURCE, mapping={} if has_header else columns)
        ),
        truth=table.truth,
        columns=columns | ({"location": "location"} if form == "geojson" else {}),
        answers=answers,
        about=f"{name}, {form}, {encoding}, {compression or 'plain'}, {spelling}, {columns}\n{text[:2_000]}",
    )


@st.composite
def _titles(draw: st.DrawFn, language: Language) -> list[str]:
    """Draw the rows above the header."""
    words = st.sampled_from([*language.kinds, *language.states])
    return [title.format(draw(words), draw(words)) for title in draw(st.sampled_from(_TITLES))]


@st.composite
def _shapes(draw: st.DrawFn, titles: Sequence[str]) -> Delimited:
    return Delimited(
        delimiter=draw(st.sampled_from(_DELIMITERS)),
        line_end=draw(st.sampled_from(["\n", "\n", "\r\n", "\r\n", "\r"])),
        quote_all=draw(st.booleans()),
        sep=draw(st.integers(0, 5)) == 0,
        titles=titles,
        padded=draw(st.booleans()),
        ends_with_line_end=draw(st.booleans()),
    )


@st.composite
def _json(draw: st.DrawFn, table: Table, form: Form) -> str:
    records = table.records
    if draw(st.booleans()):
        # Most programs leave out what is not known.
        records = [{name: value for name, value in record.items() if value is not None} for record in records]
    ascii_only = draw(st.booleans())
    if form == "ndjson":
        return ndjson(records, ascii_only=ascii_only)
    if form == "geojson":
        return geojson(records, table.positions, ascii_only=ascii_only, lines=draw(st.booleans()))
    within = draw(st.sampled_from([[], ["data"], ["result", "records"]]))
    return json_text(records, within, ascii_only=ascii_only, indent=draw(st.booleans()))


def _can_write(encoding: str, text: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeEncodeError:
        return False
