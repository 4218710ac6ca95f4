import inspect

import pytest

from worker.contract import JOBS
from worker.errors import ConfigurationError
from worker.jobs import JOB_FUNCTIONS, Job
from worker.jobs.context import current_run


def test_each_job_has_one_function_of_its_name() -> None:
    assert sorted(function.__name__ for function in JOB_FUNCTIONS) == sorted(JOBS)


@pytest.mark.parametrize("function", JOB_FUNCTIONS)
def test_each_function_returns_the_outcome_type_of_the_contract(function: Job) -> None:
    assert inspect.iscoroutinefunction(function)
    assert inspect.signature(function).return_annotation is JOBS[function.__name__].outcome


@pytest.mark.parametrize("ctx", [{}, {"worker_context": "something"}])
def test_a_ctx_without_worker_context_raises_a_configuration_error(ctx: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="on_startup"):
        current_run(ctx)
