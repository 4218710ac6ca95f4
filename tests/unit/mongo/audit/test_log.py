from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions

from worker.mongo.audit.log import as_logged, entry_hash, log_id

ENTRY: dict[str, Any] = {
    "_id": "audit:job",
    "seq": 1,
    "before": None,
    "after": {
        "location": {"coordinates": [0.1, -7.0]},
        "attributes": {"f": 1e16, "z": -0.0, "tiny": 5e-324, "i": 2**62, "b": True, "t": "名\N{HOSPITAL}"},
    },
    "at": datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
}


def test_the_hash_matches_the_documented_canonical_form() -> None:
    # Made by hand: printf '%s' '{"a":{"$date":-1},"b":1.0,"c":"\u00e4"}' | sha256sum
    entry = {"c": "ä", "b": 1.0, "a": ENTRY["at"], "hash": "left out"}
    assert entry_hash(entry) == "c4e891f17bf3249a8fa662d431f61817f32f8030a1366d80e8aaf2f28fe6576a"


def test_the_hash_survives_bson() -> None:
    stored: dict[str, Any] = bson.decode(bson.encode(ENTRY), CodecOptions(tz_aware=True))
    assert entry_hash(stored) == entry_hash(ENTRY)


@pytest.mark.parametrize("change", [{"seq": 2}, {"seq": 1.0}, {"seq": True}, {"after": None}, {"new": 1}])
def test_every_change_changes_the_hash(change: dict[str, Any]) -> None:
    assert entry_hash(ENTRY | change) != entry_hash(ENTRY)


def test_the_order_of_fields_makes_no_difference() -> None:
    assert entry_hash(dict(reversed(ENTRY.items()))) == entry_hash(ENTRY)


def test_a_value_without_canonical_form_cannot_be_hashed() -> None:
    with pytest.raises(TypeError, match="bytes has no canonical form"):
        entry_hash({"a": b""})


def test_an_entry_stores_the_hospital_without_applied_jobs() -> None:
    assert as_logged({"_id": "a", "applied_jobs": []}) == {"_id": "a"}
    assert as_logged(None) is None


def test_an_entry_is_named_after_its_job() -> None:
    assert log_id("register_hospital:1") == "audit:register_hospital:1"
