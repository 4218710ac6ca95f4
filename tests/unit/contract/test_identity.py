import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract import DiscardHospital, HospitalRecord
from worker.contract.identity import hospital_identity, normalise_name
from worker.contract.validation import parse
from worker.errors import InvalidPayload


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
    assert hospital_identity(one, None, None) == hospital_identity(other, None, None)


@pytest.mark.parametrize(
    ("one", "other"), [("A B", "AB"), ("St Mary", "St. Mary"), ("Curie", "Curié"), ("می\u200cرود", "میرود")]
)
def test_names_that_differ_in_letters_have_two_identities(one: str, other: str) -> None:
    assert hospital_identity(one, None, None) != hospital_identity(other, None, None)


@pytest.mark.parametrize(
    ("source", "external_id", "identity"),
    [
        ("cms", "01", "cms:01"),
        ("cms", "a:b ", "cms:a:b "),
        ("cms", None, "name:a b"),
        (None, None, "name:a b"),
    ],
)
def test_the_identity_is_made_from_the_source_or_from_the_name(
    source: str | None, external_id: str | None, identity: str
) -> None:
    assert hospital_identity("A  B", source, external_id) == identity


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
