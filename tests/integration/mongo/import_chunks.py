"""Chunks of imports, and what the tests of imports ask of the registry."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.mongo.conftest import RunJob
from worker.contract import ChunkOutcome
from worker.mongo.client import MongoHandle

Make = Callable[..., dict[str, Any]]
MODES = pytest.mark.parametrize("mode", ["keep", "merge", "replace"])
CHANGED = {"keep": "kept", "merge": "merged", "replace": "replaced"}
"""The status of a record that differs from a stored hospital, by `on_existing`."""


def chunk(
    *records: dict[str, Any], lines: list[int], mode: str = "keep", import_id: str | None = "i"
) -> dict[str, Any]:
    return {"records": list(records), "lines": lines, "on_existing": mode, "import_id": import_id}


def without_token(outcome: ChunkOutcome) -> ChunkOutcome:
    return outcome.model_copy(update={"token": None})


async def all_hospitals(mongo: MongoHandle) -> dict[str, dict[str, Any]]:
    return {hospital["_id"]: hospital async for hospital in mongo.hospitals.find({})}


async def store(run_job: RunJob, record: dict[str, Any], *, registered: bool = False) -> None:
    if registered:
        await run_job("register_hospital", {"record": record, "actor": "a", "reason": "r"}, "before")
    else:
        assert (await run_job("ingest_hospital", {"record": record}, "before")).status == "created"
