import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract import CorrectHospital, DiscardHospital, HospitalRecord
from worker.contract.identity import PLACE_FIELDS, hospital_identity, name_in_identity, normalise_name
from worker.contract.placeholders import is_placeholder_identifier
from worker.contract.validation import parse
from worker.errors import InvalidPayload

VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30)
PLACES = st.fixed_dictionaries({}, optional=dict.fromkeys(("source", *PLACE_FIELDS), VALUES))


def identity(**fields: Any) -> str:
    return HospitalRecord.model_construct(**fields).hospital_id


@given(st.text(max_size=50))
def test_normalising_twice_is_normalising_once(name: str) -> None:
    assert normalise_name(normalise_name(name)) == normalise_name(name)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_unicode_form_makes_no_difference(name: str) -> None:
    forms = {
        normalise_name(unicodedata.normalize("NFC", name)),
        normalise_name(unicodedata.normalize("NFD", name)),
        normalise_name(unicodedata.normalize("NFKC", name)),
        normalise_name(unicodedata.normalize("NFKD", name)),
    }
    assert forms == {normalise_name(name)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Saint Mary", "  SAINT \u00a0 mary\u3000"),
        ("Zürich", "Zu\u0308rich"),
        ("Straße", "STRASSE"),
        ("Ⅳ Clinic", "iv clinic"),
        ("\uff23\uff4c\uff49nic", "clinic"),
        ("ﬁrst", "FIRST"),
        ("ΟΔΟΣ", "οδος"),
    ],
)
def test_names_that_differ_only_in_form_case_or_space_have_one_identity(one: str, other: str) -> None:
    assert identity(hospital_name=one) == identity(hospital_name=other)


@pytest.mark.parametrize(
    ("one", "other"), [("A B", "AB"), ("St Mary", "St. Mary"), ("Curie", "Curié"), ("می\u200cرود", "میرود")]
)
def test_names_that_differ_in_letters_have_two_identities(one: str, other: str) -> None:
    assert identity(hospital_name=one) != identity(hospital_name=other)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"source": "cms", "external_id": "01"}, "cms:01"),
        ({"source": "cms", "external_id": "a:b "}, "cms:a:b "),
        ({"source": "cms", "external_id": "01", "city": "Boaz", "country": "US"}, "cms:01"),
        ({}, "name:a b"),
        ({"source": "cms"}, "name:a b SOURCE cms"),
        ({"city": " Boaz "}, "name:a b CITY boaz"),
        (
            {"postal_code": "AA1  1AA", "city": "Boaz", "state": "AL", "country": "US", "source": "cms"},
            "name:a b SOURCE cms COUNTRY us STATE al CITY boaz POSTAL_CODE aa1 1aa",
        ),
        ({"address": "1 Main", "county": "Marshall", "phone": "1", "beds": 3}, "name:a b"),
        ({"source": "cms", "external_id": "0", "city": "Boaz"}, "name:a b SOURCE cms CITY boaz"),
        ({"source": "cms", "external_id": "None"}, "name:a b SOURCE cms"),
    ],
)
def test_the_identity_is_the_identifier_or_the_name_with_the_place(fields: dict[str, Any], expected: str) -> None:
    assert identity(hospital_name="A  B", **fields) == expected


@pytest.mark.parametrize("text", ["0", "-", "None", "N/A", "null", "unknown", " 0 "])
def test_a_placeholder_is_no_identifier(text: str) -> None:
    assert is_placeholder_identifier(text)


@pytest.mark.parametrize("text", ["1", "01", "10", "A0", "000123", "naples"])
def test_a_short_identifier_is_no_placeholder(text: str) -> None:
    assert not is_placeholder_identifier(text)


@given(VALUES, PLACES, VALUES, PLACES)
def test_records_that_differ_in_name_or_place_have_two_identities(
    name: str, place: dict[str, str], other_name: str, other_place: dict[str, str]
) -> None:
    """The words in capitals within an identity cannot be taken for a part of a name or place."""

    def parts(name: str, place: dict[str, str]) -> list[str]:
        return [
            normalise_name(name),
            *(normalise_name(place.get(field, "")) for field in ("source", *PLACE_FIELDS)),
        ]

    differs = parts(name, place) != parts(other_name, other_place)
    assert (identity(hospital_name=name, **place) != identity(hospital_name=other_name, **other_place)) is differs


@given(VALUES, PLACES)
def test_a_name_that_looks_like_a_place_is_another_name(name: str, place: dict[str, str]) -> None:
    looks = identity(hospital_name=name, **place).removeprefix("name:")
    if any(normalise_name(value) for value in place.values()):
        assert identity(hospital_name=looks) != identity(hospital_name=name, **place)
    else:
        assert identity(hospital_name=looks) == identity(hospital_name=name)


def test_no_normalised_text_has_a_capital_letter_of_ascii() -> None:
    kept = [chr(code) for code in range(0x110000) if re.search("[A-Z]", normalise_name(chr(code)))]
    assert kept == []


@given(VALUES, PLACES)
def test_the_name_in_an_identity_is_found_again(name: str, place: dict[str, str]) -> None:
    assert name_in_identity(identity(hospital_name=name, **place)) == normalise_name(name)


@pytest.mark.parametrize("hospital_id", ["cms:01", "cms:name:x", "name", "names:x", "cms:name CITY x"])
def test_an_identity_made_of_an_identifier_has_no_name(hospital_id: str) -> None:
    assert name_in_identity(hospital_id) is None


@pytest.mark.parametrize(
    ("hospital_id", "name", "accepted"),
    [
        ("name:a b", "A  B", True),
        ("name:a b", "A C", False),
        ("name:a b CITY boaz", "A B", True),
        ("name:a b SOURCE cms CITY boaz", "A C", False),
        ("name:a b CITY boaz", "A B City Boaz", False),
        ("cms:01", "A C", True),
    ],
)
def test_a_change_of_the_name_must_keep_an_identity_made_from_it(
    hospital_id: str, name: str, accepted: bool
) -> None:
    payload = {"hospital_id": hospital_id, "revision": 1, "changes": {"hospital_name": name, "city": "Other"}}
    if accepted:
        assert parse(CorrectHospital, payload).changes.hospital_name == name
    else:
        with pytest.raises(InvalidPayload, match="identity"):
            parse(CorrectHospital, payload)


@given(st.text(min_size=1, max_size=300))
def test_the_identity_of_every_accepted_name_is_a_valid_hospital_id(name: str) -> None:
    try:
        record = parse(HospitalRecord, {"hospital_name": name})
    except InvalidPayload:
        return
    payload = {"hospital_id": record.hospital_id, "revision": 1}
    assert parse(DiscardHospital, payload).hospital_id == record.hospital_id


def test_the_longest_expansion_of_a_name_is_a_valid_hospital_id() -> None:
    record = parse(HospitalRecord, {"hospital_name": "\ufdfa" * 300})
    assert len(record.hospital_id) > 5_000
    assert parse(DiscardHospital, {"hospital_id": record.hospital_id, "revision": 1}).hospital_id


def test_the_longest_places_are_told_apart_and_make_a_valid_hospital_id() -> None:
    longest = dict.fromkeys(PLACE_FIELDS, "\ufdfa" * 200)
    records = [
        parse(HospitalRecord, {"hospital_name": "\ufdfa" * 300, **longest, "city": city})
        for city in ("x" * 200, "y" * 200)
    ]
    for record in records:
        assert parse(DiscardHospital, {"hospital_id": record.hospital_id, "revision": 1}).hospital_id
        assert name_in_identity(record.hospital_id) == normalise_name(record.hospital_name)
    assert len({hospital_identity(vars(record)) for record in records}) == 2
