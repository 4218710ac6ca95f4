"""The memory that an import takes does not depend on the size of its file.

Run with `MEMORY_ROWS=1000000` for the size that the documents name; it takes a few minutes.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from producers.generator import expected_truth, write_rows
from tests.acceptance.conftest import Site
from tests.support.memory import peak_mb

# The larger file begins with the rows of the smaller one, so that not all of its rows are in conflict with those.
_SEED = 1
SMALL, LARGE = 20_000, int(os.environ.get("MEMORY_ROWS", "100000"))
# The producer keeps some numbers of 8 bytes for each row. 80,000 rows more, which take 13 MB, may take 10 MB.
MOST_GROWTH_MB = (LARGE - SMALL) * 125 / 1e6
MOST_PRODUCER_MB, MOST_WORKER_MB = 150, 250


@pytest.mark.timeout(120 + LARGE // 1_000)
async def test_an_import_takes_as_much_memory_for_a_large_file_as_for_a_small_one(site: Site) -> None:
    # A fork has the memory of its parent.
    site.imports_anew = True
    worker = await site.worker()
    small = await _import(site, SMALL)
    large = await _import(site, LARGE)
    assert 0 < large < min(MOST_PRODUCER_MB, small + MOST_GROWTH_MB)
    assert 0 < peak_mb(worker.pid) < MOST_WORKER_MB


async def _import(site: Site, rows: int) -> int:
    """Import so many rows; return how much memory the producer has taken, in MB."""
    file = site.folder / f"{rows}.csv"
    write_rows(file, "csv", rows, _SEED)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "producers", "ingest", str(file), "--json"),
        env={**os.environ, **site.environment, "PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.PIPE,
    )
    output = asyncio.create_task(process.communicate())
    peak = 0

    def has_ended() -> bool:
        nonlocal peak
        peak = max(peak, peak_mb(process.pid))
        return output.done()

    await site.until(has_ended, 100 + rows / 1_000)
    summary = json.loads((await output)[0])
    assert (summary["unaccounted"], summary["rejected"]) == (0, expected_truth(rows, _SEED).rejected)
    return peak
