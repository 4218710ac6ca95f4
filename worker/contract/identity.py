"""A hospital's identity (`hospital_identity`), and the normalised text that it may be made from.

Two records with the same identity are the same hospital. Wrongly merging two hospitals destroys data, and wrongly
keeping two apart can be repaired later, so what may be another hospital gets another identity. The identity is the
feed's own identifier if there is one; otherwise it is the name together with the place, within the feed. It is
stored as the document's `_id` when the hospital is created, and stays as it is when the hospital's name or place
is changed later.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from worker.contract.placeholders import is_placeholder_identifier

NAME_PREFIX = "name"
PLACE_FIELDS = ("country", "state", "city", "postal_code")
"""The fields of a record that are part of an identity by name, in the order in which the identity has them."""

# A longer place is replaced by its digest: a look-up names 1,000 identities, and a command has a limit of 16 MB.
_LONGEST_PLACE = 500
# Normalised text has no capital letters, so a word in capitals cannot be a part of a name or place.
_MARKS = tuple((field, field.upper()) for field in ("source", *PLACE_FIELDS))
_DIGEST_MARK = "SHA256"
PLACE_PATTERN = f" (?:{'|'.join([*(mark for _, mark in _MARKS), _DIGEST_MARK])}) "
"""A regular expression for what follows the name in an identity that has a source or place."""

_FIRST_MARK = re.compile(PLACE_PATTERN)
_SOURCE_IN_NAME = re.compile(rf" SOURCE (.*?)(?:{PLACE_PATTERN}|$)")


def normalise_name(name: str) -> str:
    """Fold a name or place so that Unicode form, case and white space make no difference.

    Case folding can undo a normal form, and normalisation can undo case folding, so both are repeated until nothing
    changes: two rounds for nearly all text. The steps of a round are those of Unicode's compatibility caseless
    matching (The Unicode Standard, section 3.13, D146). Without the first step, NFD, a Greek iota subscript would
    fold to a letter before the accent beside it is in canonical order.
    """
    if name.isascii():
        # ASCII is in every normal form, and one step folds it.
        return " ".join(name.lower().split())
    folded = name
    while True:
        refolded = unicodedata.normalize("NFD", folded).casefold()
        refolded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", refolded).casefold())
        refolded = " ".join(refolded.split())
        if refolded == folded:
            return folded
        folded = refolded


def hospital_identity(record: Mapping[str, Any]) -> str:
    """Return the `_id` of the hospital that the fields of a record describe; one not known is absent or `None`.

    It is `source:external_id` if both are given and the identifier is not a placeholder. Otherwise it is `name:`
    and the normalised name, followed by the source and the normalised place as far as the record knows them:
    `name:victoria hospital SOURCE northland CITY aveda`. A record that knows only its name has `name:<name>`.

    `source` never contains a colon and is never `name` (see `worker.contract.fields.Source`), so an identity of one
    form never equals one of the other form.
    """
    if not is_identified_by_name(record):
        return f"{record['source']}:{record['external_id']}"
    identity = f"{NAME_PREFIX}:{normalise_name(record['hospital_name'])}"
    place = ""
    for field, mark in _MARKS:
        value = record.get(field)
        if value is not None and (normalised := normalise_name(value)):
            place += f" {mark} {normalised}"
    if len(place) > _LONGEST_PLACE:
        place = f" {_DIGEST_MARK} {hashlib.sha256(place.encode()).hexdigest()}"
    return identity + place


def is_identified_by_name(record: Mapping[str, Any]) -> bool:
    """Whether name and place identify the hospital of a record, because it has no identifier of its source."""
    external_id = record.get("external_id")
    return record.get("source") is None or external_id is None or is_placeholder_identifier(external_id)


def name_in_identity(hospital_id: str) -> str | None:
    """Return the normalised name in an identity that was made from a name; `None` for any other identity."""
    prefix, colon, rest = hospital_id.partition(":")
    if prefix != NAME_PREFIX or not colon:
        return None
    return _FIRST_MARK.split(rest, maxsplit=1)[0]


def source_in_identity(hospital_id: str) -> str | None:
    """Return the source in an identity; `None` if it has none, or a digest has taken its place."""
    prefix, _, rest = hospital_id.partition(":")
    if name_in_identity(hospital_id) is None:
        return prefix
    found = _SOURCE_IN_NAME.search(rest)
    return found[1] if found else None
