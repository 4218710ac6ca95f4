"""What importing a producer or the worker brings in, and how long it takes, seen in a fresh interpreter."""

import os
import subprocess
import sys

import pytest

# What a producer's process does without: a worker's packages, and those of the command line.
FOR_OTHERS = {
    "arq",
    "motor",
    "pymongo",
    "bson",
    "typer",
    "rich",
    "click",
    "structlog",
    "uvloop",
    "prometheus_client",
}
# What only some producers use: settings, batches, records of what operators did, explanations, and the parser of
# words that stand for unknown values.
FOR_SOME = {
    "pydantic_settings",
    "producers.batches",
    "worker.contract.actions",
    "worker.monitoring",
    "worker.queue.batches",
    "worker.queue.heartbeats",
    "tomllib",
}
# What any client of Redis with typed payloads imports, and how large a part of that a producer may take besides:
# the time itself depends on what else a machine does. Measured: 0.33 to 0.37.
_LEAST = (
    "import asyncio, orjson, redis.asyncio; from pydantic import AfterValidator, AwareDatetime, BaseModel, Field"
)
_MOST_BESIDES = 0.5
_TRIES = 7


def python(code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "QUEUE_TRACING"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    return run.stdout


def modules_of(module: str) -> set[str]:
    return set(python(f"import sys, {module}; print(*sys.modules)").split())


def imported_by(module: str) -> set[str]:
    return {name.partition(".")[0] for name in modules_of(module)}


@pytest.mark.parametrize("module", ["producers.client", "producers.sync", "producers.outbox"])
def test_importing_a_producer_brings_in_no_package_of_a_worker(module: str) -> None:
    imported = imported_by(module)
    assert {"producers", "redis", "pydantic"} <= imported
    assert imported & FOR_OTHERS == set()
    assert "opentelemetry" not in imported


def test_importing_the_worker_brings_in_no_opentelemetry() -> None:
    imported = imported_by("worker.main")
    assert {"arq", "worker"} <= imported
    assert "opentelemetry" not in imported


def time_besides() -> float:
    """Return the processor time of importing a producer, as a part of that of what it depends on, before it."""
    code = (
        f"import time; began = time.process_time(); {_LEAST}; between = time.process_time(); "
        "import producers.client; print((time.process_time() - between) / (between - began))"
    )
    return min(float(python(code)) for _ in range(_TRIES))


def test_importing_a_producer_brings_in_nothing_that_only_some_use() -> None:
    assert modules_of("producers.client") & FOR_SOME == set()


def test_importing_a_producer_takes_little_more_than_what_it_depends_on() -> None:
    assert time_besides() <= _MOST_BESIDES
