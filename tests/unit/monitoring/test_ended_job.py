import asyncio
from typing import Any

import pytest

from worker.errors import RemoteError
from worker.monitoring.ended_job import EndedJob


def ended(success: bool, value: object) -> EndedJob:
    result: dict[str, Any] = {"f": "geocode", "q": "arq:queue", "t": None, "et": 1, "st": 2, "ft": 3}
    return EndedJob.of({**result, "s": success, "r": value})


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"status": "newer_stored", "name": "a patient"}, "newer_stored"),
        ({"status": "A patient"}, ""),
        ({"status": "x" * 41}, ""),
        ({"status": {"of": "a patient"}}, ""),
        ({}, ""),
        ("a patient", ""),
        (None, ""),
    ],
)
def test_of_an_outcome_only_a_short_word_is_told(value: object, status: str) -> None:
    assert ended(True, value) == EndedJob("geocode", "arq:queue", True, False, "", status, 1, 1, 2, 3)


@pytest.mark.parametrize(
    ("value", "aborted", "error"),
    [
        (RemoteError("ValueError", "a patient"), False, "ValueError"),
        (RemoteError("x" * 300, ""), False, "x" * 200),
        (asyncio.CancelledError("a patient"), True, "CancelledError"),
        ("a patient", False, "str"),
        (None, False, "NoneType"),
    ],
)
def test_of_an_error_only_its_class_is_told(value: object, aborted: bool, error: str) -> None:
    assert ended(False, value) == EndedJob("geocode", "arq:queue", False, aborted, error, "", 1, 1, 2, 3)
