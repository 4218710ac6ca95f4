import inspect

import pytest

from worker.contract import JOBS
from worker.errors import ConfigurationError
from worker.jobs import JOB_FUNCTIONS, Job
from worker.jobs.context import current_run


def test_there_is_one_function_per_job_and_it_has_the_jobs_name() -> None:
    assert sorted(function.__name__ for function in JOB_FUNCTIONS) == sorted(JOBS)


@pytest.mark.parametrize("function", JOB_FUNCTIONS)
def test_a_function_returns_the_outcome_that_the_contract_names(function: Job) -> None:
    assert inspect.iscoroutinefunction(function)
    assert inspect.signature(function).return_annotation is JOBS[function.__name__].outcome


@pytest.mark.parametrize("ctx", [{}, {"worker_context": "something"}])
def test_a_ctx_that_was_not_filled_is_told_as_such(ctx: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="on_startup"):
        current_run(ctx)
