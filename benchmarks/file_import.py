"""Imports a file as `hospital-producer ingest` does: `python -m benchmarks.file_import FILE` prints its figures."""

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from producers.cli import GC_THRESHOLDS
from producers.client import HospitalProducer
from producers.files import HospitalFile
from producers.files.import_files import write_import_files
from producers.imports import FileImport, report_entries

_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One import: the seconds of each step, and the rows by what became of them.

    `survey_s` is the first pass over the file, which decides how it is read. `import_s` is all that follows:
    reading the rows, the batch with its completion job, and writing the report.
    """

    survey_s: float
    import_s: float
    fates: dict[str, int]


async def measure(producer: HospitalProducer, path: Path) -> Measured:
    """Import the file at `path`, and write its report beside it."""
    began = time.perf_counter()
    file = HospitalFile.open(path)
    surveyed = time.perf_counter()
    importing = FileImport(
        producer,
        file,
        on_existing="keep",
        started_by="benchmarks",
        wait_s=_WAIT_S,
        on_progress=lambda _: None,
    )
    result = await importing.run()
    import_id = result.found.import_id
    await write_import_files(file, report_entries(producer, import_id, _WAIT_S), path.parent / import_id)
    ended = time.perf_counter()
    fates = {status: count for status, count in result.rows.items() if count}
    return Measured(surveyed - began, ended - surveyed, fates | {"unaccounted": result.unaccounted})


async def _main(path: Path) -> Measured:
    async with HospitalProducer.connect() as producer:
        return await measure(producer, path)


if __name__ == "__main__":
    # As the command does. Like it, and like most producers, this one runs on asyncio's own event loop.
    gc.set_threshold(*GC_THRESHOLDS)
    print(json.dumps(asdict(asyncio.run(_main(Path(sys.argv[1]))))))  # noqa: T201 (the result for the parent process)
