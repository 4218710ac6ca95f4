"""Compares a record with hospitals that are stored under other identities, more loosely than identities do.

What is found here is shown to a person, or asked about before an import; it never decides what a hospital is.
"""

import re
from collections.abc import Mapping
from typing import Any

from worker.contract.comparison import are_apart
from worker.contract.identity import PLACE_FIELDS, hospital_identity, is_identified_by_name, normalise_name
from worker.contract.known import Known

_PLACE = (*PLACE_FIELDS, "county", "address")
_NO_WORD = re.compile(r"[\W_]+")
# Folding keeps the Turkish letters apart: capitals lose whether an i has a dot, and a capital I with one keeps it.
_DOTLESS, _DOTTED, _DOT = "\u0131", "\u0130", "\u0307"
_PLAIN_I = {ord(_DOTLESS): "i", ord(_DOT): None}
_TURKISH_UPPER = {ord("i"): _DOTTED, ord(_DOTLESS): "I"}
_TURKISH_LOWER = {ord(_DOTTED): "i", ord("I"): _DOTLESS}


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


def spellings(name: str) -> set[str]:
    """Return a name in the forms that another delivery of a list may have: as it is, in capitals, in small."""
    found = {name, name.upper(), name.title()}
    if _DOTLESS in name or _DOTTED in name:
        words = [word[:1] + word[1:].translate(_TURKISH_LOWER).lower() for word in name.split(" ")]
        found |= {name.translate(_TURKISH_UPPER).upper(), " ".join(words)}
    return found


def may_be_same(stored: Known, known: Known) -> bool:
    """Whether a stored hospital of a record's name may be the record's: nothing that both know tells them apart.

    A place may have more words in one of the two, such as a postal code.
    """
    if _words(stored["hospital_name"]) != _words(known["hospital_name"]) or are_apart(stored, known):
        return False
    shared = [field for field in _PLACE if field in stored and field in known]
    return all(_one_has_the_other(stored[field], known[field]) for field in shared)


def has_another_name(stored: Known, known: Known) -> bool:
    """Whether neither of two names is the other with some words left out."""
    return not _one_has_the_other(stored["hospital_name"], known["hospital_name"])


def _one_has_the_other(one: str, other: str) -> bool:
    words, others = _words(one), _words(other)
    return words <= others or others <= words


def _words(text: str) -> frozenset[str]:
    return frozenset(_NO_WORD.split(normalise_name(text).translate(_PLAIN_I))) - {""}
