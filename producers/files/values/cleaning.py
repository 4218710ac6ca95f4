"""Cleans the text of a cell: white space, HTML, wrongly decoded bytes and invisible characters.

All of it is what happens to text on its way through spreadsheets, web pages and databases. None of it changes a
visible letter, except that a C1 control character is the cp1252 character that it was before.
"""

import re
from collections import Counter
from html.entities import html5

# These control characters are printed by nothing. They are cp1252 text that was decoded as Latin-1.
_C1 = {code: bytes((code,)).decode("cp1252", "ignore") or None for code in range(0x80, 0xA0)}
_HAS_C1 = re.compile("[\x80-\x9f]")
# What is left of a character that some program could not read.
_LOST = "\ufffd"
# Zero-width spaces, soft hyphens, byte order marks, marks and embeddings of direction, and control characters that
# are not white space. Joiners (U+200C, U+200D) belong to the spelling of Persian and Indic words.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_JOINERS = "\u200c\u200d"
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_TAG = re.compile(
    r"<(/?)(br|p|div|li|ul|ol|tr|td|th|table|h[1-6]|hr|b|i|u|strong|em|span|font|a|sup|sub|small|center|img)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_BLOCKS = frozenset(
    ("br", "p", "div", "li", "ul", "ol", "tr", "td", "th", "table", "hr", *(f"h{n}" for n in range(1, 7)))
)
# How Excel writes control characters into a workbook's XML.
_EXCEL_ESCAPE = re.compile(r"_x00(0[0-9A-Fa-f]|1[0-9A-Fa-f])_")
# `="0123"` makes a spreadsheet keep the text of a number.
_FORMULA = re.compile(r'="([^"]*)"')
# An entity may be escaped twice ("&amp;eacute;"); more rounds than this are no accident.
_MOST_ROUNDS = 3


def clean(text: str, changes: Counter[str]) -> str:
    """Return the text on one line, trimmed, without repeated blanks, markup and invisible characters.

    What was done beyond white space is counted in `changes`.
    """
    # `isprintable` runs in C, and is false for every character handled below but the ASCII ones and one.
    if text.isprintable() and _LOST not in text and "&" not in text and "<" not in text and "_x0" not in text:
        if text.startswith('="'):
            text = _FORMULA.sub(r"\1", text)
        return " ".join(text.split()) if "  " in text else text.strip()
    return _cleaned(text, changes)


def _cleaned(text: str, changes: Counter[str]) -> str:
    if _LOST in text:
        changes[f"a character was lost before, and is {_LOST}"] += 1
    if _HAS_C1.search(text):
        text = text.translate(_C1)
        changes["control characters read as cp1252"] += 1
    if "_x0" in text:
        text = _EXCEL_ESCAPE.sub(" ", text)
    if "&" in text or "<" in text:
        without = _without_markup(text)
        if without != text:
            text = without
            changes["HTML removed"] += 1
    without = _INVISIBLE.sub("", text)
    if without != text:
        text = without
        changes["invisible characters removed"] += 1
    text = " ".join(text.split()).strip(_JOINERS + " ")
    return _FORMULA.sub(r"\1", text) if text.startswith('="') else text


def _without_markup(text: str) -> str:
    for _ in range(_MOST_ROUNDS):
        unescaped = _ENTITY.sub(_character, text)
        if unescaped == text:
            break
        text = unescaped
    return _TAG.sub(lambda tag: " " if tag[2].lower() in _BLOCKS else "", text)


def _character(entity: re.Match[str]) -> str:
    name = entity[1]
    if not name.startswith("#"):
        return html5.get(f"{name};", entity[0])
    code = int(f"0{name[1:]}", 16) if name[1] in "xX" else int(name[1:])
    if code in _C1:
        # As browsers do: pages written on Windows use these numbers for cp1252 characters.
        return _C1[code] or ""
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return entity[0]
    return chr(code)
