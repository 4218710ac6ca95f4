"""One job of `faulty`, without a timeout; readiness counts it as a job of 2 s instead of 5 minutes."""

from arq.worker import func

from tests.faults.settings.faulty import WorkerSettings, held
from worker.engine import options

__all__ = ["WorkerSettings"]

# arq accepts no timeout only for a worker of one function.
WorkerSettings.functions = [func(held, name="held")]
WorkerSettings.job_timeout = None  # type: ignore[assignment]  # as an arq user may set it
options._RUN_WITHOUT_TIMEOUT_S = 2.0
