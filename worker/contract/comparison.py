"""Compares a record with a stored hospital or with another row of the same import.

Both are mappings from field to value as they are stored; see `worker.contract.known`.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from worker.contract.identity import PLACE_FIELDS, is_identified_by_name, normalise_name
from worker.contract.known import Known
from worker.contract.payloads import HospitalFields

DISTINGUISHING_FIELDS = ("hospital_name", *PLACE_FIELDS, "county", "address", "location", "local_id")
"""The fields that tell hospitals apart: rows of one identity and one import that differ in one of them collide."""

FURTHER_FIELDS = ("phone", "ownership", "emergency_services", "beds", "hospital_type", "attributes")
"""Further fields that distinguish rows, if they have no identifier: see `further_differences`."""

CONTENT_FIELDS = ("hospital_name", *(field for field in HospitalFields.model_fields if field != "attributes"))
"""What a record says about a hospital, without its attributes, its identifier and the time of observation."""

# Two measurements of one building are closer than this, in degrees; it is about a kilometre.
_SAME_SPOT = 0.01

ALL_READ: frozenset[str] = frozenset()
"""The unread fields of a record of which everything could be read."""


class FieldDifference(NamedTuple):
    """A field that differs, with the stored value and the record's value; `None` where it is not known.

    An attribute is named `attributes.NAME`.
    """

    field: str
    stored: object
    given: object


def distinguishing_key(known: Known) -> tuple[object, ...]:
    """Return what must be equal in two rows of one identity and one import: name, place, address and local id.

    Unicode form, case and white space make no difference. An unknown value differs from a known one; otherwise the
    second of three rows could agree with both others although these two contradict each other.
    """
    return tuple(folded_value(known.get(field)) for field in DISTINGUISHING_FIELDS)


def distinguishing_differences(holder: Known, known: Known) -> list[FieldDifference]:
    """Return the fields of `distinguishing_key` in which two rows differ; `holder` is the row that came first."""
    return [
        FieldDifference(field, holder.get(field), known.get(field))
        for field in DISTINGUISHING_FIELDS
        if folded_value(holder.get(field)) != folded_value(known.get(field))
    ]


def further_differences(
    holder: Known, known: Known, *, whole: bool = False, unread: Set[str] = ALL_READ
) -> list[FieldDifference]:
    """Return what else shows that a row may be another hospital than `holder`, if neither has an identifier.

    Two hospitals of one name in one town differ in what a list happens to know of them, so a row that gives another
    value than the holder, or one that the holder lacks, is not taken for a repetition of it. A row that only knows
    less is one, unless it is to replace the whole content (`whole`); what was not read of it (`unread`) stays even
    then. Between two times of observation all but the telephone may have changed.
    """
    fields: Sequence[str] = FURTHER_FIELDS
    if (first := holder.get("observed_at")) is not None and known.get("observed_at", first) != first:
        fields = FURTHER_FIELDS[:1]
    found: list[FieldDifference] = []
    for field in fields:
        # What a hospital has whose type is not known.
        default = "single" if field == "hospital_type" else None
        present, value = holder.get(field, default), known.get(field, default)
        if (value is None and not whole) or field in unread:
            continue
        if field == "attributes":
            found += _attribute_differences(present or {}, value or {}, whole=True, unread=unread)
        elif folded_value(present) != folded_value(value):
            found.append(FieldDifference(field, present, value))
    return found


def collision_differences(
    holder: Known, known: Known, *, whole: bool = False, unread: Set[str] = ALL_READ
) -> list[FieldDifference]:
    """Return the fields for which two rows of one identity and one import are not taken for one hospital.

    `holder` is the row that came first. `whole` means that rows replace the whole content, but for what could not
    be read of them (`unread`).
    """
    found = distinguishing_differences(holder, known)
    if is_identified_by_name(known):
        found += further_differences(holder, known, whole=whole, unread=unread)
    return found


def collision_fields(known: Known) -> dict[str, Any]:
    """Return the part of a row that `collision_differences` compares."""
    further = (*FURTHER_FIELDS, "observed_at") if is_identified_by_name(known) else ()
    return {field: known[field] for field in (*DISTINGUISHING_FIELDS, *further) if field in known}


def contradicts(holder: Known, known: Known) -> bool:
    """Whether two rows are not taken for one hospital because of a field that both know."""
    return any(each.stored is not None and each.given is not None for each in collision_differences(holder, known))


def is_conflict(stored: Known, known: Known) -> bool:
    """Whether a record of the stored hospital's identity has another name and is at another place.

    Then it is more likely that the identifier was given to another hospital than that a hospital was renamed and
    moved. A place that one of the two does not know does not count as another place.
    """
    name, other_name = stored["hospital_name"], known["hospital_name"]
    if name == other_name or normalise_name(name) == normalise_name(other_name):
        return False
    shared = [field for field in PLACE_FIELDS if field in stored and field in known]
    if shared:
        return any(normalise_name(stored[field]) != normalise_name(known[field]) for field in shared)
    return are_apart(stored, known)


def are_apart(stored: Known, known: Known) -> bool:
    """Whether the locations of both are known, and are not of one building."""
    if "location" not in stored or "location" not in known:
        return False
    (longitude, latitude), (other_longitude, other_latitude) = (
        point["location"]["coordinates"] for point in (stored, known)
    )
    apart = abs(longitude - other_longitude)
    return bool(min(apart, 360 - apart) > _SAME_SPOT or abs(latitude - other_latitude) > _SAME_SPOT)


def content_differences(
    stored: Known, known: Known, *, whole: bool = False, unread: Set[str] = ALL_READ
) -> list[FieldDifference]:
    """Return the fields that an ingest of the record would change in the stored hospital, in the fields' order.

    Fields that the record does not know count only if it is to replace the whole content (`whole`), and if they are
    not `unread`: the source says something of them that could not be read, so what is stored stays. The time of
    observation does not count as content.
    """
    found: list[FieldDifference] = []
    for field in CONTENT_FIELDS:
        value = known.get(field)
        if value is None:
            if not whole or field in unread:
                continue
            if field == "hospital_type":
                # What a hospital has whose type is not known; `stored` may be another row.
                value = "single"
                if stored.get(field, value) == value:
                    continue
        present = stored.get(field)
        # The usual case, without a call: this runs for every row of a file that was imported before.
        if present == value and type(present) is type(value):
            continue
        if not is_same(present, value):
            found.append(FieldDifference(field, present, value))
    if whole or "attributes" in known:
        attributes = stored.get("attributes", {}), known.get("attributes", {})
        found += _attribute_differences(*attributes, whole=whole, unread=unread)
    return found


def _attribute_differences(stored: Known, known: Known, *, whole: bool, unread: Set[str]) -> list[FieldDifference]:
    names = [*known]
    if whole and "attributes" not in unread:
        names += (name for name in stored if name not in known and f"attributes.{name}" not in unread)
    return [
        FieldDifference(f"attributes.{name}", stored.get(name), known.get(name))
        for name in names
        if not is_same(stored.get(name), known.get(name))
    ]


def is_same(stored: object, value: object) -> bool:
    """Whether two stored values are equal for MongoDB, where `True` and `1` differ and `1` and `1.0` do not."""
    return stored == value and isinstance(stored, bool) == isinstance(value, bool)


def folded_value(value: object) -> object:
    """Return a field's value so that two that make no difference between hospitals are equal."""
    if isinstance(value, str):
        return normalise_name(value)
    if isinstance(value, Mapping):
        return tuple(value["coordinates"])
    return value
