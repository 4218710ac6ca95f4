"""One module per question; each has `async def run(bench) -> Outcome`."""

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.harness import Outcome
from benchmarks.scenarios import (
    backlog,
    bulk,
    enqueue,
    history,
    inflight,
    ingest,
    memory,
    metrics,
    noop,
    pickup,
    recovery,
    register,
)

Scenario = Callable[[Bench], Awaitable[Outcome]]

SCENARIOS: Mapping[str, Scenario] = {
    "noop": noop.run,
    "ingest": ingest.run,
    "register": register.run,
    "bulk": bulk.run,
    "enqueue": enqueue.run,
    "pickup": pickup.run,
    "recovery": recovery.run,
    "backlog": backlog.run,
    "inflight": inflight.run,
    "history": history.run,
    "metrics": metrics.run,
    "memory": memory.run,
}
"""By the name that `--only` takes, in the order in which they are run."""
