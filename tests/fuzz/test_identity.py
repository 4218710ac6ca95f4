"""However a name is written (Unicode form, case, white space), it is one identity, and one that can be shown."""

import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.contract import HospitalRecord
from worker.contract.identity import hospital_identity, normalise_name
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# Characters that Unicode forms and case change, and the marks that move when they do.
CHANGING = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if not 0xD800 <= code <= 0xDFFF
    and (unicodedata.normalize("NFKC", chr(code)).casefold() != chr(code) or unicodedata.combining(chr(code)))
]
NAMES = st.text(
    st.sampled_from(CHANGING)
    | st.sampled_from("\u0345\u0301\u0323\u0130\u1fb7 ")
    | st.characters(exclude_categories=["Cs"]),
    max_size=12,
)
SPACES = st.text(st.sampled_from(" \t\u00a0\u2003\u3000"), min_size=1, max_size=3)
WAYS = ["NFC", "NFD", "NFKC", "NFKD", "casefold", "space"]


@given(NAMES, st.lists(st.sampled_from(WAYS), max_size=4), SPACES)
@settings(max_examples=600, deadline=None)
@example("\u0345\u0301", ["casefold"], " ")
@example("\u1fb3\u0301", ["NFD", "casefold"], " ")
def test_ways_of_writing_a_name_are_one_identity(name: str, ways: list[str], space: str) -> None:
    written = name
    for way in ways:
        match way:
            case "casefold":
                # On its own it is not meant for marks out of their order: an iota subscript before an accent.
                written = unicodedata.normalize("NFD", written).casefold()
            case "space":
                written = space + space.join(written.split(" ")) + space
            case "NFC" | "NFD" | "NFKC" | "NFKD":
                written = unicodedata.normalize(way, written)
    assert normalise_name(written) == normalise_name(name)


@pytest.mark.parametrize("mark", ["", "\u0301", "\u0345", "\u0323", "\u0345\u0301"])
def test_every_character_that_changes_has_one_identity(mark: str) -> None:
    differing = [
        f"U+{ord(character):04X}"
        for character in CHANGING
        for name in (character + mark,)
        for folded in (normalise_name(name),)
        if not folded
        == normalise_name(folded)
        == normalise_name(unicodedata.normalize("NFD", name).casefold())
        == normalise_name(unicodedata.normalize("NFD", name))
        == normalise_name(unicodedata.normalize("NFKC", name))
    ]
    assert not differing


@given(st.text(max_size=40) | NAMES)
@settings(deadline=None)
def test_the_identity_of_an_accepted_name_can_be_shown_and_stored(name: str) -> None:
    try:
        record = parse(HospitalRecord, {"hospital_name": name})
    except InvalidPayload:
        return
    identity = hospital_identity(record.hospital_name, None, None)
    assert identity == record.hospital_id
    assert identity.encode()
    assert not [character for character in identity if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")]
    assert identity == " ".join(identity.split())
    assert identity.removeprefix("name:").strip()
