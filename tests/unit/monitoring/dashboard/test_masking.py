import json

from worker.codec import Codec
from worker.monitoring.dashboard.masking import LARGEST_SHOWN, masked, payload_text

RECORD = {
    "hospital_name": "Mercy", "source": "cms", "beds": 12, "emergency_services": True, "phone": None,
    "attributes": {"Owner Jane": "Jane"}, "tags": ["Jane"], "external_id": "x" * 101, "country": {"a": "Jane"},
}  # fmt: skip


def test_only_harmless_fields_of_a_known_function_are_shown() -> None:
    assert masked({"record": RECORD}, "ingest_hospital") == {
        "record": {
            "hospital_name": "••• (5 characters)",
            "source": "cms",
            "beds": "•••",
            "emergency_services": True,
            "phone": None,
            "attributes": {"••• 1": "••• (4 characters)"},
            "tags": ["••• (4 characters)"],
            "external_id": "••• (101 characters)",
            "country": {"a": "••• (4 characters)"},
        }
    }
    assert masked({"source": "cms"}, "other") == {"source": "••• (3 characters)"}


def test_a_payload_is_shown_whole_or_masked_or_not_at_all() -> None:
    codec = Codec()
    envelope = codec.encode({"t": None, "f": "other", "a": ["Jané"], "k": {}, "et": 1})

    assert json.loads(payload_text(codec, envelope, whole=True)) == {"args": ["Jané"], "kwargs": {}}
    assert "Jané" not in payload_text(codec, envelope, whole=False)
    for whole in (True, False):
        assert payload_text(codec, b"Jane", whole=whole) == "not readable: not a JSON envelope"
        large = payload_text(codec, b"J" * (LARGEST_SHOWN + 1), whole=whole)
        assert large == "262,145 bytes: too large for the page; use hospital-worker dead export"
