"""All spellings of a name (Unicode form, case, white space) have one identity, and it is safe to display."""

import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.contract import HospitalRecord
from worker.contract.identity import normalise_name
from worker.contract.validation import parse
from worker.errors import InvalidPayload

# Characters that normalisation or case folding changes, and the combining marks that then change places.
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
TRANSFORMATIONS = ["NFC", "NFD", "NFKC", "NFKD", "casefold", "space"]


@given(NAMES, st.lists(st.sampled_from(TRANSFORMATIONS), max_size=4), SPACES)
@settings(max_examples=600, deadline=None)
@example("\u0345\u0301", ["casefold"], " ")
@example("\u1fb3\u0301", ["NFD", "casefold"], " ")
def test_all_spellings_of_a_name_have_one_identity(name: str, transformations: list[str], space: str) -> None:
    spelling = name
    for transformation in transformations:
        match transformation:
            case "casefold":
                # `casefold` alone does not support marks out of order, such as an iota subscript before an accent.
                spelling = unicodedata.normalize("NFD", spelling).casefold()
            case "space":
                spelling = space + space.join(spelling.split(" ")) + space
            case "NFC" | "NFD" | "NFKC" | "NFKD":
                spelling = unicodedata.normalize(transformation, spelling)
    assert normalise_name(spelling) == normalise_name(name)


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
def test_the_identity_of_an_accepted_name_can_be_displayed_and_stored(name: str) -> None:
    try:
        record = parse(HospitalRecord, {"hospital_name": name})
    except InvalidPayload:
        return
    identity = record.hospital_id
    assert identity.encode()
    assert not [character for character in identity if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")]
    assert identity == " ".join(identity.split())
    assert identity.removeprefix("name:").strip()
