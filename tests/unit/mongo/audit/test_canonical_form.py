import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS

from worker.mongo.audit.canonical_form import canonical
from worker.mongo.audit.log import entry_hash


def test_the_hash_is_computed_over_the_canonical_form() -> None:
    entry: dict[str, Any] = {"é": 1.0, "a": [True, None, -0.0, 2**62], "at": datetime(1969, 12, 31, tzinfo=UTC)}
    text = canonical(entry)
    assert text == '{"a":[true,null,-0.0,4611686018427387904],"at":{"$date":-86400000},"\\u00e9":1.0}'
    assert hashlib.sha256(text.encode()).hexdigest() == entry_hash(entry)


def test_an_instant_beyond_pythons_range_has_a_canonical_form() -> None:
    assert canonical({"at": DatetimeMS(2**62)}) == '{"at":{"$date":4611686018427387904}}'


@pytest.mark.parametrize(("value", "error"), [(b"", TypeError), (float("nan"), ValueError)])
def test_a_value_without_canonical_form_raises(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        canonical({"a": value})
