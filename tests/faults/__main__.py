"""`make faults` and `make soak`: run every row with several seeds, then the soak, and print a table of results."""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from rich.table import Table

from tests.faults.rows import Row
from tests.faults.soak import soak

_HERE = Path(__file__).parent
# Rows mostly wait for elections, leases and restarts, so they run in parallel. Rows that compare rates run alone,
# as do rows whose work or pause may take only two seconds, or a tenth of one.
_PARALLEL = ("-n", "3", "--dist", "load")
_ALONE = "(row_17 or row_22 or row_33 or row_39_ingests_beside or row_55)"
_EXPECTED_CODES = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
_FUZZ_FILES = [_HERE.parent / "fuzz" / name for name in ("test_worker.py", "test_refusals.py")]
# The default report format has no place for the properties that a test records.
_WITH_PROPERTIES = ("-o", "junit_family=xunit1")
_WIDTH = 110
_RESULTS = _HERE / "results" / "latest.json"
_SOAK_RESULTS = _HERE / "results" / "soak.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the requested rows and the soak; return 0 if all passed, so that nothing was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--seeds", default="1,2,3", help="comma-separated; each row runs once with each seed (default: 1,2,3)"
    )
    parser.add_argument("--rows", default="", help="only tests whose names match, as in pytest -k")
    parser.add_argument("--minutes", type=float, default=2.0, help="length of the soak at the end; 0 skips it")
    parser.add_argument(
        "--seed", type=int, default=None, help="seed of the soak; it is printed, so that a failure can be repeated"
    )
    parser.add_argument("--envelopes", type=int, default=0, help="number of fuzzed envelopes after the soak")
    parser.add_argument("--soak-only", action="store_true", help="skip the rows")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    rows = [] if options.soak_only else _run_rows(options.seeds, options.rows)
    if options.minutes:
        seed = time.time_ns() % 1_000_000 if options.seed is None else options.seed
        rows.append(_run_soak(options.minutes, seed, console))
        if options.envelopes:
            rows.extend(_run_fuzz(seed, ["-k", "row_27"], options.envelopes))
    _print(rows, console)
    if options.soak_only:
        _write(rows, _SOAK_RESULTS)
    elif not options.rows:
        _write(rows, _RESULTS)
    return 0 if rows and all(row.passed for row in rows) else 1


def _run_rows(seeds: str, names: str) -> list[Row]:
    names = names or "row_"
    rows = [
        *_run_matrix(seeds, f"({names}) and not {_ALONE}", *_PARALLEL),
        *_run_matrix(seeds, f"({names}) and {_ALONE}"),
    ]
    return rows + [row for seed in seeds.split(",") for row in _run_fuzz(int(seed), ["-k", names])]


def _run_matrix(seeds: str, names: str, *options: str) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        rows_file = Path(folder, "rows.json")
        chosen = ("-k", names, f"--fault-seeds={seeds}", f"--rows-file={rows_file}")
        code = _run_pytest(str(_HERE), "--all-rows", *chosen, *options)
        rows = [Row(**row) for row in json.loads(rows_file.read_text())]
    if code not in _EXPECTED_CODES and all(row.passed for row in rows):
        # A process that died has reported no rows.
        rows.append(Row(0, f"pytest ended with {code}", 0))
    return rows


def _run_fuzz(seed: int, chosen: Sequence[str], envelopes: int = 100_000) -> list[Row]:
    """Run the rows of hostile input, which are in tests/fuzz."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        report = Path(folder, "report.xml")
        options = (f"--junitxml={report}", *_WITH_PROPERTIES, *chosen)
        _run_pytest(*map(str, _FUZZ_FILES), *options, FUZZ_SEED=str(seed), FUZZ_ENVELOPES=str(envelopes))
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 (our own pytest wrote it)
    return [row for case in cases if (row := _row_of(case, seed))]


def _run_pytest(*arguments: str, **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-ra", *arguments]
    return subprocess.run(command, env=os.environ | environment, check=False).returncode


def _row_of(case: ElementTree.Element, seed: int) -> Row | None:
    found = re.match(r"test_row_(\d+)_(\w+)", case.get("name", ""))
    if found is None:
        return None
    row = Row(int(found[1]), found[2].replace("_", " "), seed)
    row.passed = all(case.find(tag) is None for tag in ("failure", "error", "skipped"))
    row.seconds = round(float(case.get("time", "0")), 1)
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    row.faults = row.accepted = int(properties.get("envelopes") or 0)
    return row


def _run_soak(minutes: float, seed: int, console: Console) -> Row:
    row = Row(34, "soak", seed)
    console.print(f"Soak of {minutes:g} minutes. To repeat it: make soak MINUTES={minutes:g} SEED={seed}")
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        asyncio.run(soak(folder, row, minutes, console.print))
    except Exception as error:  # noqa: BLE001 (any error is the soak's result, and the table is still printed)
        (folder / "failure.txt").write_text(traceback.format_exc())
        console.print(f"{type(error).__name__}: {error}", markup=False)
        console.print(f"The workers' logs and the traceback are kept in {folder}")
        row.notes["failure"] = f"{type(error).__name__}: {error}"
    else:
        row.passed = True
        shutil.rmtree(folder)
    row.seconds = round(time.monotonic() - started, 1)
    return row


def _print(rows: Sequence[Row], console: Console) -> None:
    by_name: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_name[row.number, row.name].append(row)
    table = Table("row", "what", "runs", "faults", "pause", "accepted", "lost", "doubled")
    for column in table.columns[2:]:
        column.justify = "right"
    for (number, name), runs in sorted(by_name.items()):
        pauses = [run.pause_s for run in runs if run.pause_s is not None]
        table.add_row(
            str(number),
            name,
            f"{sum(run.passed for run in runs)}/{len(runs)}",
            f"{sum(run.faults for run in runs):,}",
            f"{max(pauses):.1f} s" if pauses else "",
            f"{sum(run.accepted for run in runs):,}",
            *(_sum_or_unknown(runs, what) for what in ("lost", "doubled")),
        )
    console.print(table)
    lost, doubled = (_sum_or_unknown(rows, what) for what in ("lost", "doubled"))
    console.print(f"survived {sum(row.passed for row in rows)}/{len(rows)}, lost {lost}, doubled {doubled}")


def _sum_or_unknown(rows: Sequence[Row], what: str) -> str:
    """Return the sum, with a question mark if a run failed before its ledger was balanced."""
    unknown = "?" if any(not row.passed and not row.accepted for row in rows) else ""
    return f"{sum(getattr(row, what) for row in rows)}{unknown}"


def _write(rows: Sequence[Row], file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "survived": sum(row.passed for row in rows),
        "runs": len(rows),
        "lost": sum(row.lost for row in rows),
        "doubled": sum(row.doubled for row in rows),
        "rows": [asdict(row) for row in rows],
    }
    file.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
