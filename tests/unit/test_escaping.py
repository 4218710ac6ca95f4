import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.escaping import escape, escape_json, escape_lines

HOSTILE = "\x1b[31mred\x1b[0m\n2026 forged log line\r\x07\x9b2J\x7f\u202e\u2028\U000e0041"
INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def invisible(text: str) -> set[str]:
    return {character for character in text if unicodedata.category(character) in INVISIBLE} - set("\u200c\u200d")


def test_control_and_invisible_characters_are_escaped() -> None:
    assert escape(HOSTILE) == (r"\x1b[31mred\x1b[0m\n2026 forged log line\r\x07\x9b2J\x7f\u202e\u2028\U000e0041")


@pytest.mark.parametrize(
    "text",
    ["", "Bolnica Čakovec", "Clínica \N{HOSPITAL}", "a\u00a0b", "\u0645\u06cc\u200c\u062e\u0648", "[red]x[/red]"],
)
def test_names_in_any_language_are_unchanged(text: str) -> None:
    assert escape(text) == escape_lines(text) == escape_json(text) == text


def test_escape_lines_keeps_line_breaks() -> None:
    assert escape_lines("a\n\x1bb\r\n") == "a\n\\x1bb\\r\n"


@given(st.text())
def test_no_invisible_character_is_left(text: str) -> None:
    assert not invisible(escape(text))
    assert invisible(escape_lines(text)) <= {"\n"}


@given(
    st.dictionaries(st.text(), st.text() | st.lists(st.text(), max_size=3), max_size=3), st.sampled_from([None, 2])
)
def test_escaped_json_has_the_same_value_and_no_invisible_character(value: object, indent: int | None) -> None:
    written = escape_json(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(written) == value
    assert invisible(written) <= {"\n"}
