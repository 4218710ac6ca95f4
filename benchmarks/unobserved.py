"""The worker of `benchmarks.product` without the listeners that count for metrics and rates."""

from benchmarks.product import WorkerSettings as Counted
from worker.engine.events import Events
from worker.engine.worker import LeaseWorker
from worker.main import observe


def observe_without_counting(worker: LeaseWorker) -> None:
    """Watch the worker as the product does, but let what counts listen to events that nothing sends."""
    sent, worker.events = worker.events, Events()
    observe(worker)
    worker.events = sent


WorkerSettings = type(
    "WorkerSettings",
    (),
    {
        **{name: value for name, value in vars(Counted).items() if not name.startswith("__")},
        "observe": observe_without_counting,
    },
)
