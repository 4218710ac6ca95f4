"""Sentry's integration for arq, which patches arq's worker, with this project's worker."""

import json
from typing import Any

import pytest

from tests.acceptance.conftest import Site


@pytest.mark.parametrize("first", ["yes", "no"], ids=["Sentry before the engine", "Sentry after the engine"])
async def test_sentry_gets_a_transaction_for_each_try_and_an_error_for_each_failure(site: Site, first: str) -> None:
    # The order of imports is what is tested.
    site.imports_anew = True
    for function in ("fine", "refused", "hooked", "retried", "unknown"):
        await site.put(function, job_id=f"the-{function}")
    finished = await site.run("arq", "--burst", "traced_settings.WorkerSettings", SENTRY_FIRST=first)
    assert finished.code == 0, finished.err
    sent = [json.loads(line) for line in finished.out.splitlines()]

    transactions = [item for item in sent if item["type"] == "transaction"]
    assert sorted(map(_summary, transactions)) == [
        ("fine", "the-fine", False, "ok"),
        ("hooked", "the-hooked", False, "ok"),
        ("refused", "the-refused", False, "internal_error"),
        ("retried", "the-retried", False, "aborted"),
        ("retried", "the-retried", True, "ok"),
    ]
    assert {item["contexts"]["trace"]["op"] for item in transactions} == {"queue.task.arq"}
    (fine,) = [item for item in transactions if item["transaction"] == "fine"]
    assert [span["description"] for span in fine["spans"] if span["op"] == "step"] == ["a step"]

    # The retried job is no error, and the log lines about dead letters are none either.
    hook, error = sorted((item for item in sent if item["type"] == "event"), key=lambda item: "exception" in item)
    assert error["exception"]["values"][-1]["type"] == "ValueError"
    assert error["tags"]["arq_task_id"] == "the-refused"
    # The line that a failing hook makes.
    assert (hook["logger"], hook["logentry"]["message"].split(" action=")[0]) == (
        "arq.worker.engine",
        "a hook failed",
    )
    assert "run_job_patch_failed" not in finished.err


def _summary(item: dict[str, Any]) -> tuple[str, str, bool, str]:
    tags = item["tags"]
    retry = str(tags["arq_task_retry"]).lower() == "true"
    return item["transaction"], tags["arq_task_id"], retry, item["contexts"]["trace"]["status"]
