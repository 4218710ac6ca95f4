"""One module per job queue. A peer's package is imported when its system is asked for."""

from importlib import import_module
from typing import cast

from benchmarks.systems.base import System

NOOP_SYSTEMS = ("ours", "arq", "saq", "streaq", "taskiq", "celery", "dramatiq")
INGEST_SYSTEMS = ("ours", "arq", "saq", "streaq", "taskiq")
"""Those that run asynchronous jobs, which the driver's shared client wants."""


def system_named(name: str) -> System:
    """Return the adapter of a system."""
    module = import_module(f"benchmarks.systems.{name}_system")
    return cast(System, module.SYSTEM)
