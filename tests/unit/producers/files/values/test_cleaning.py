# ruff: noqa: RUF001  (cells in many scripts)

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.values.cleaning import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Oak Hospital", "Oak Hospital"),
        ("  Oak   Hospital ", "Oak Hospital"),
        ("69 Main Street\r\nAveda VIC 3690", "69 Main Street Aveda VIC 3690"),
        ("Birch\n\n Hospital", "Birch Hospital"),
        ("a\tb\x0bc\x0cd\u2028e\u3000f", "a b c d e f"),
        ("Oak\xa0\xa0Hospital\u202f", "Oak Hospital"),
        ("CENTRE D\x92ETUDES", "CENTRE D’ETUDES"),
        ("\x93Sf. Ana\x94 Hospital", "“Sf. Ana” Hospital"),
        ("a\x85", "a…"),
        ("a\x81b", "ab"),
        ("St. Mary&#39;s &amp; St. John&apos;s", "St. Mary's & St. John's"),
        ("H&ocirc;pital", "Hôpital"),
        ("H&amp;ocirc;pital", "Hôpital"),
        ("A&nbsp;B", "A B"),
        ("D&#146;Or", "D’Or"),
        ("&#x4e00;", "一"),
        ("R&D; Care", "R&D; Care"),
        ("Smith &notary", "Smith &notary"),
        ("AT&T", "AT&T"),
        ("1 Hill Road<br>Corvo", "1 Hill Road Corvo"),
        ("1 Hill Road<BR />Corvo", "1 Hill Road Corvo"),
        ("<p>Oak <b>Hospital</b></p>", "Oak Hospital"),
        ("&lt;br&gt;Oak", "Oak"),
        ('<a href="http://x.example">Oak</a>', "Oak"),
        ("a < b > c", "a < b > c"),
        ("<Oak>", "<Oak>"),
        ("Oak\u200bHospital\ufeff", "OakHospital"),
        ("\u202aOak\u202c \u200eB", "Oak B"),
        ("a\x00b\x07c", "abc"),
        ("soft\xadhyphen", "softhyphen"),
        ("بیمارستان‌ها", "بیمارستان‌ها"),
        ("\u200cOak\u200d", "Oak"),
        ("line_x000D_break", "line break"),
        ('="0123"', "0123"),
        ("&#0;&#xd800;", "&#0;&#xd800;"),
        ("", ""),
    ],
)  # fmt: skip
def test_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text, Counter()) == cleaned


def test_a_character_that_was_lost_is_counted() -> None:
    changes: Counter[str] = Counter()
    assert clean("Cl\ufffdnica  Sur", changes) == "Cl\ufffdnica Sur"
    assert changes == {"a character was lost before, and is \ufffd": 1}


def test_what_was_done_beyond_white_space_is_counted() -> None:
    changes: Counter[str] = Counter()
    for text in ("a\x92b", "a&amp;b", "a\u200bb", "a\nb", " a "):
        clean(text, changes)
    assert changes == {
        "control characters read as cp1252": 1,
        "HTML removed": 1,
        "invisible characters removed": 1,
    }


@given(st.text())
def test_cleaned_text_is_one_line_without_outer_or_repeated_blanks(text: str) -> None:
    cleaned = clean(text, Counter())
    assert cleaned.splitlines() in ([], [cleaned])
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned


@given(st.text(st.characters(categories=("L", "N", "P"), exclude_characters='&<_="'), min_size=1))
def test_visible_text_is_never_changed(text: str) -> None:
    assert clean(text, Counter()) == text
