import re

import pytest
from arq import constants

from worker.queue import keys
from worker.queue.script_source import script_source

SCRIPTS = (
    *("claim", "enqueue", "finish", "recover", "redrive", "renew", "run_now", "stats", "wait"),
    *("batch_create", "batch_close", "batch_next", "batch_settle"),
)


def test_key_names_shared_with_arq_equal_its_constants() -> None:
    assert constants.job_key_prefix == keys.JOB
    assert constants.in_progress_key_prefix == keys.IN_PROGRESS
    assert constants.result_key_prefix == keys.RESULT
    assert constants.retry_key_prefix == keys.TRIES
    assert constants.abort_jobs_ss == keys.ABORT
    assert constants.health_check_key_suffix == keys.HEALTH_CHECK_SUFFIX


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_gets_its_key_names_only_from_python(name: str) -> None:
    # The first comment is the prelude's; everything before it comes from Python.
    names, comment, body = script_source(name).partition("\n--")
    assert comment
    assert f"local JOB = '{keys.JOB}'" in names
    assert f"local HISTORY = '{keys.HISTORY}'" in names
    assert re.findall(r"'arq:[^']*'|':leased'|':wakeup'|':rate'", body) == []
