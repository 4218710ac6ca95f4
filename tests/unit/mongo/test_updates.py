from datetime import UTC, datetime
from typing import Any

import pytest

from worker.mongo.updates import Ingest, expected_hospital, expected_name, ingest_pipeline

AT = datetime(2025, 6, 30, tzinfo=UTC)
HOSTILE: dict[str, Any] = {"hospital_name": "$$ROOT", "city": "$where", "attributes": {"a": "$literal", "$b": 1}}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("expected", [expected_name("$$ROOT"), expected_hospital(HOSTILE), None])
def test_text_from_outside_is_always_within_a_literal(whole: bool, expected: Any) -> None:
    origin = "$id:1"
    ingest = Ingest(hospital_id="$x", known=HOSTILE, job_id="$job", at=AT, row=origin)
    pipeline = ingest_pipeline(ingest, whole=whole, expected=expected)

    def outside_literals(part: Any) -> list[str]:
        if isinstance(part, dict):
            return [text for key, value in part.items() if key != "$literal" for text in outside_literals(value)]
        if isinstance(part, list):
            return [text for value in part for text in outside_literals(value)]
        return [part] if isinstance(part, str) else []

    assert not {"$where", "$literal", "$job", "$x", "$b", "$id:1"} & set(outside_literals(pipeline))
