"""What importing a producer brings in, seen in a fresh interpreter."""

import subprocess
import sys

WITH_DRIVERS = {"arq", "motor", "pymongo", "bson"}


def test_importing_a_producer_brings_in_neither_arq_nor_motor() -> None:
    code = "import sys, producers.client; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(run.stdout.split())
    assert {"producers", "redis", "pydantic"} <= imported
    assert imported & WITH_DRIVERS == set()
