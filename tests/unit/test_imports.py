"""What importing a producer or the worker brings in, seen in a fresh interpreter."""

import os
import subprocess
import sys

WITH_DRIVERS = {"arq", "motor", "pymongo", "bson"}


def imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    environment = {name: value for name, value in os.environ.items() if name != "QUEUE_TRACING"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    return set(run.stdout.split())


def test_importing_a_producer_brings_in_neither_arq_nor_motor() -> None:
    imported = imported_by("producers.client")
    assert {"producers", "redis", "pydantic"} <= imported
    assert imported & WITH_DRIVERS == set()
    assert "opentelemetry" not in imported


def test_importing_the_worker_brings_in_no_opentelemetry() -> None:
    imported = imported_by("worker.main")
    assert {"arq", "worker"} <= imported
    assert "opentelemetry" not in imported
