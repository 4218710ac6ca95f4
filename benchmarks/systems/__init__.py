"""One module per job queue. A system's package is imported only when that system is used."""

from importlib import import_module
from typing import cast

from benchmarks.systems.base import System

NOOP_SYSTEMS = ("ours", "arq", "saq", "streaq", "taskiq", "celery", "dramatiq")
INGEST_SYSTEMS = ("ours", "arq", "saq", "streaq", "taskiq")
"""The systems that run asynchronous jobs, which the driver's shared client requires."""


def system_named(name: str) -> System:
    """Return the adapter for a system."""
    module = import_module(f"benchmarks.systems.{name}_system")
    return cast(System, module.SYSTEM)
