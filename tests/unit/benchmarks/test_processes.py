from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.processes import Process


async def test_output_returns_what_the_process_printed(tmp_path: Path) -> None:
    async with Process(
        ["-c", "import os; print(os.environ['RATE'])"], {"RATE": "12.5"}, tmp_path / "log"
    ) as process:
        assert await process.output() == "12.5\n"


async def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    async with Process(["-c", "raise SystemExit('no such queue')"], {}, tmp_path / "log") as process:
        with pytest.raises(BenchmarkError, match=r"exited with code 1; .*\nno such queue"):
            await process.output()


async def test_other_exit_codes_can_be_accepted(tmp_path: Path) -> None:
    code = "print('partly'); raise SystemExit(1)"
    async with Process(["-c", code], {}, tmp_path / "log") as process:
        assert await process.output(statuses=(0, 1)) == "partly\n"


async def test_leaving_the_context_ends_the_process(tmp_path: Path) -> None:
    process = Process(["-c", "import signal; signal.pause()"], {}, tmp_path / "log")
    async with process:
        process.check()

    with pytest.raises(BenchmarkError, match="exited unexpectedly"):
        process.check()
