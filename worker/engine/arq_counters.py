"""arq's own figures of a worker: the counters that its users read, and the text that `arq --check` shows."""

from collections.abc import Callable
from datetime import datetime

from arq.worker import Worker

from worker.engine.events import TryEnded
from worker.engine.heartbeat import UnknownFunctions

# With these a job asks to be run again.
_ASKED_AGAIN = frozenset({"Retry", "RetryJob"})


def count_like_arq(worker: Worker, unknown_functions: UnknownFunctions) -> Callable[[TryEnded], None]:
    """Return the listener that counts what ended well, what ended otherwise, and what will run again, as arq does.

    It also collects the functions that the worker lacks: one listener for both, because it is called for each job.
    """

    def count(event: TryEnded) -> None:
        match event.outcome:
            case "complete":
                worker.jobs_complete += 1
            case "dead" if worker.retry_jobs and event.error_class in _ASKED_AGAIN:
                # arq runs such a job once more only to find that its tries are spent, and counts both.
                worker.jobs_failed += 1
                worker.jobs_retried += 1
            case "dead" | "aborted":
                worker.jobs_failed += 1
            case "function_unknown":
                # Not a retry: it comes back every few seconds until a worker has the function.
                unknown_functions.add(event.function)
            case "put_aside":
                # Its function was not called; thousands may wait.
                pass
            case _:
                worker.jobs_retried += 1

    return count


def health_text(worker: Worker, *, running: int, queued: int) -> str:
    """Return what `arq --check` shows of a worker."""
    return (
        f"{datetime.now(worker.timezone):%b-%d %H:%M:%S} j_complete={worker.jobs_complete} "
        f"j_failed={worker.jobs_failed} j_retried={worker.jobs_retried} j_ongoing={running} "
        f"queued={queued}"
    )
