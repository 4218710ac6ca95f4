"""Compares a record with hospitals that are stored under other identities, more loosely than identities do.

What is found here is shown to a person, or asked about before an import; it never decides what a hospital is.
"""

import re
from collections.abc import Mapping
from typing import Any

from worker.contract.comparison import are_apart
from worker.contract.folding import folded_words, name_key
from worker.contract.identity import PLACE_FIELDS, hospital_identity, is_identified_by_name
from worker.contract.known import Known

# The country comes last, because it may be written in another language.
_PLACE = (*PLACE_FIELDS[1:], "county", "address", "country")
_FRACTION = re.compile(r"\.0+$")
_LONGEST_SHORT_FORM = 3


def other_identities(record: Mapping[str, Any]) -> list[str]:
    """Return the identities that a record's hospital has if its list was read otherwise.

    One delivery of a list may be identified by a column of codes, and another by name and place, because a code
    was missing or repeated in it. Then the code is the `local_id`. The source may not have been given either.
    """
    by_name = {**record, "external_id": None}
    others = [by_name, {**by_name, "source": None}]
    if is_identified_by_name(record) and record.get("local_id") is not None:
        others.append({**record, "external_id": record["local_id"]})
    own = hospital_identity(record)
    return [other for other in dict.fromkeys(map(hospital_identity, others)) if other != own]


def may_be_same(stored: Known, known: Known) -> bool:
    """Whether a stored hospital of a record's name may be the record's: nothing that both know tells them apart.

    A place may have more words in one of the two, such as a postal code, or be a short form, such as `NY`. In one
    town the country makes no difference: it may be a code, or in another language.
    """
    if name_key(stored["hospital_name"]) != name_key(known["hospital_name"]) or are_apart(stored, known):
        return False
    return not has_another_place(stored, known)


def has_another_place(stored: Known, known: Known) -> bool:
    """Whether a field of the place that both know is of another place, not the same one written otherwise."""
    shared = [field for field in _PLACE if field in stored and field in known]
    return not all(
        _is_one_place(field, stored[field], known[field]) or (field == "country" and shared[0] in PLACE_FIELDS[1:])
        for field in shared
    )


def has_another_name(stored: Known, known: Known) -> bool:
    """Whether neither of two names is the other with some words left out."""
    name, other = stored["hospital_name"], known["hospital_name"]
    return name_key(name) != name_key(other) and not _one_has_the_other(name, other)


def _is_one_place(field: str, one: str, other: str) -> bool:
    if _one_has_the_other(one, other):
        return True
    if field == "postal_code":
        return _postal_key(one) == _postal_key(other)
    if name_key(one) == name_key(other):
        return True
    return field in ("state", "country") and (_is_short_form(one, other) or _is_short_form(other, one))


def _one_has_the_other(one: str, other: str) -> bool:
    words, others = frozenset(folded_words(one)), frozenset(folded_words(other))
    return words <= others or others <= words


def _postal_key(code: str) -> str:
    """Return a postal code without what a spreadsheet adds or removes: zeros in front, a fraction, blanks."""
    return "".join(folded_words(_FRACTION.sub("", code.strip()))).lstrip("0")


def _is_short_form(short: str, name: str) -> bool:
    """Whether a text is of a few letters that the name has in this order, the first one first, like NY and TX."""
    letters, rest = "".join(folded_words(short)), "".join(folded_words(name))
    if not letters.isalpha() or len(letters) > _LONGEST_SHORT_FORM or not rest.startswith(letters[0]):
        return False
    remaining = iter(rest)
    return all(letter in remaining for letter in letters)
