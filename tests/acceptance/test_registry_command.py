"""`hospital-worker registry`, as an operator or a script runs it."""

import asyncio
import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.conftest import Site
from worker.closed_pipe import EXIT_CLOSED_PIPE
from worker.mongo.client import MongoHandle
from worker.mongo.documents import new_hospital, now

# At its end the program prints its peak memory in KiB.
MEASURED = """
import re, sys
from pathlib import Path
from worker.cli import main
sys.argv = ["hospital-worker", "registry", "export", "--output", sys.argv[1]]
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
FEW = 30
MANY = 60_000


@pytest_asyncio.fixture
async def registry(registry: MongoHandle) -> MongoHandle:
    await _fill(registry, range(FEW))
    return registry


async def _fill(registry: MongoHandle, numbers: range) -> None:
    """Store hospitals of some 700 bytes."""
    at = now()
    for start in range(numbers.start, numbers.stop, 1_000):
        some = range(start, min(start + 1_000, numbers.stop))
        await registry.hospitals.insert_many([_hospital(number, at) for number in some], ordered=False)


def _hospital(number: int, at: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "hospital_name": f"St. Mary's Hospital (No. {number}) of the Holy Cross",
        "source": "cms",
        "city": f"Town {number % 7}",
        "country": "US",
        "location": {"type": "Point", "coordinates": [-73.5, 41.25]},
        "attributes": {"note": "x" * 300},
    }
    return new_hospital(f"cms:{number:06}", known, status="partial", job_id="job", at=at)


async def test_one_hospital_is_shown(site: Site, registry: MongoHandle) -> None:
    shown = await site.command("registry", "get", "cms:000007")
    assert (shown.code, shown.err) == (0, "")
    fields = dict(line.split(None, 1) for line in shown.out.splitlines() if not line.startswith(" "))
    assert fields["hospital_name"].strip() == "St. Mary's Hospital (No. 7) of the Holy Cross"
    assert set(fields) >= {"hospital_id", "created_at", "attributes.note"}
    assert max(map(len, shown.out.splitlines())) <= 80
    found = json.loads((await site.command("registry", "get", "cms:000007", "--json")).out)
    assert (found["hospital_id"], found["revision"]) == ("cms:000007", 1)
    none = await site.command("registry", "get", "cms:\x1bx")
    assert (none.code, none.out, none.err.count("\n")) == (1, "", 1)
    assert none.err.startswith(r"hospital-worker: no hospital 'cms:\\x1bx' is stored: give source:external_id")


async def test_hospitals_are_listed_in_a_table_of_80_columns(site: Site, registry: MongoHandle) -> None:
    listed = await site.run("worker", "registry", "list", "--limit", "3", "--city", "Town 2")
    lines = listed.out.splitlines()
    assert (listed.code, lines[0].split()) == (0, ["hospital", "name", "place", "status"])
    assert [line.split()[0] for line in lines if line.startswith("cms:")] == [
        "cms:000002",
        "cms:000009",
        "cms:000016",
    ]
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("more than 3 match")
    found = json.loads((await site.command("registry", "list", "--limit", "30", "--json")).out)
    assert (len(found["hospitals"]), found["more"]) == (30, False)
    assert (await site.command("registry", "list", "--updated-since", "2999-01-01")).out == "no hospitals\n"
    assert (await site.command("registry", "list", "--updated-since", "soon")).code == 2


async def test_a_search_takes_text_and_no_expression(site: Site, registry: MongoHandle) -> None:
    found = await site.command("registry", "search", "mary's hospital (no. 7)", "--json")
    assert [hospital["hospital_id"] for hospital in json.loads(found.out)["hospitals"]] == ["cms:000007"]
    assert found.err == "note: every entry of the index hospital_name_1 is read\n"
    assert (await site.command("registry", "search", "mary.*")).out == "no hospitals\n"
    both = await site.command("registry", "search", "mary", "--name", "x")
    assert (both.code, both.err) == (2, "hospital-worker: give either TEXT or --name\n")


async def test_an_export_is_whole_and_overwrites_nothing(site: Site, registry: MongoHandle) -> None:
    file = site.folder / "hospitals.csv"
    arguments = ("registry", "export", "--output", str(file))
    done = await site.command(*arguments)
    assert (done.code, done.out, done.err) == (0, "", "30 exported\n")
    with file.open(encoding="utf-8", newline="") as rows:
        exported = list(csv.DictReader(rows))
    assert [row["hospital_id"] for row in exported] == [f"cms:{number:06}" for number in range(FEW)]
    assert (exported[7]["latitude"], exported[7]["city"]) == ("41.25", "Town 0")
    again = await site.command(*arguments)
    assert (again.code, again.err) == (2, f"hospital-worker: {file}: already exists; choose another name\n")
    as_lines = await site.command("registry", "export", "--format", "ndjson", "--city", "Town 2", "--limit", "2")
    assert [json.loads(line)["hospital_id"] for line in as_lines.out.splitlines()] == ["cms:000002", "cms:000009"]
    features = json.loads((await site.command("registry", "export", "--format", "geojson")).out)
    assert (features["type"], len(features["features"])) == ("FeatureCollection", FEW)


async def test_the_rows_of_an_export_are_imported_as_the_same_hospitals(site: Site, registry: MongoHandle) -> None:
    file = site.folder / "again.ndjson"
    # Zeros are no identifier.
    await registry.hospitals.delete_one({"_id": "cms:000000"})
    await registry.hospitals.update_many({}, [{"$set": {"external_id": {"$substr": ["$_id", 4, -1]}}}])
    assert (await site.command("registry", "export", "--format", "ndjson", "--output", str(file))).code == 0
    await site.worker()
    loaded = await site.run("producers", "ingest", str(file), "--source", "cms", "--json")
    summary = json.loads(loaded.out)
    assert (summary["rows"], summary["same"] + summary["kept"], summary["created"]) == (FEW - 1, FEW - 1, 0), (
        loaded.err
    )


@pytest.mark.parametrize("command", ["list", "export", "export --limit 1", "get cms:000007 --json"])
async def test_a_closed_pipe_ends_a_command_quietly(site: Site, registry: MongoHandle, command: str) -> None:
    done = await site.run_unread("worker", "registry", *command.split())
    assert (done.code, done.err) == (EXIT_CLOSED_PIPE, "")


async def test_many_hospitals_are_exported_in_the_memory_of_few(site: Site, registry: MongoHandle) -> None:
    few = await _export_peak_kib(site, "few.csv", FEW)
    await _fill(registry, range(FEW, MANY))
    many = await _export_peak_kib(site, "many.csv", MANY)
    # All of them would take some 100 MiB; a batch of 1,000 takes 3.
    assert many - few < 20 * 1024


async def _export_peak_kib(site: Site, name: str, rows: int) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MEASURED, str(site.folder / name)),
        env={**os.environ, **site.environment, "PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 100)
    assert (process.returncode, errors.decode()) == (0, f"{rows:,} exported\n")
    return int(out)
