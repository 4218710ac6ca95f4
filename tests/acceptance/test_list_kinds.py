"""Each kind of list through `hospital-producer ingest` and a real worker: what is stored, and what is said."""

import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient

from tests.acceptance.conftest import Finished, Site
from tests.security.scanner import CANARY
from tests.support.list_kinds import KINDS, Kind, Row
from worker.contract import RecordStatus
from worker.embedded import EmbeddedMongo, EmbeddedRedis

# One worker for all kinds.
pytestmark = pytest.mark.asyncio(loop_scope="module")

APPLIED = {"created", "merged", "replaced", "same"}
TO_CORRECT = {"rejected", "collision", "conflict"}
# What the registry adds to a document. `hospital_type` and `status` are the same for every new hospital.
ADDED = ("revision", "created_at", "updated_at", "created_by_job", "import")
NEW = {"hospital_type": "single", "status": "partial"}
LOADED = [kind for kind in KINDS if not kind.refusal]
REFUSED = [kind for kind in KINDS if kind.refusal]


class Registry:
    """The registry of one site, which is emptied for each kind, and the command that fills it."""

    def __init__(self, site: Site, mongo: EmbeddedMongo) -> None:
        self.run = site.run
        self._site = site
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo.url, tz_aware=True)
        self._database = self._client[site.settings.mongodb_database]

    async def clear(self) -> None:
        for name in await self._database.list_collection_names():
            await self._database[name].delete_many({})

    async def close(self) -> None:
        await self._client.close()

    async def ingest(self, kind: Kind) -> Finished:
        """Import a list as it is, with its options."""
        path = self._site.folder / kind.file
        path.write_bytes(kind.content)
        return await self.run("producers", "ingest", str(path), *kind.options, "--json")

    async def hospitals(self) -> dict[str, dict[str, Any]]:
        """Return all that is stored, by identity."""
        return {hospital["_id"]: hospital async for hospital in self._database["hospitals"].find()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full_registry(mongo: EmbeddedMongo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Registry]:
    async with EmbeddedRedis(password=CANARY) as redis:
        site = Site(redis, mongo, tmp_path_factory.mktemp("lists"))
        registry = Registry(site, mongo)
        await site.worker()
        yield registry
        await registry.close()
        await site.close()


@pytest_asyncio.fixture(loop_scope="module")
async def registry(full_registry: Registry) -> Registry:
    await full_registry.clear()
    return full_registry


@pytest.mark.parametrize("kind", LOADED, ids=lambda kind: kind.name)
async def test_a_list_of_each_kind_is_imported_right(registry: Registry, kind: Kind) -> None:
    lists = [kind] if kind.after is None else [kind.after, kind]
    done = [await registry.ingest(it) for it in lists]
    assert [it.code for it in done] == [it.code for it in lists], done[-1].err
    summary = json.loads(done[-1].out)
    check_summary(summary, kind)
    stored = await registry.hospitals()
    rows = [row for it in lists for row in it.rows if row.fate == "created"]
    assert {identity: content(hospital) for identity, hospital in stored.items()} == {
        row.stored["_id"]: NEW | dict(row.stored) for row in rows
    }
    made_by = {hospital["import"] for hospital in stored.values()}
    created = {row.line for row in kind.rows if row.fate == "created"}
    assert {f"{summary['import']}:{line}" for line in created} <= made_by
    check_report(summary, kind)


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.name)
async def test_a_list_that_cannot_be_read_right_is_refused_in_one_line(registry: Registry, kind: Kind) -> None:
    done = await registry.ingest(kind)
    assert (done.code, done.out, len(done.err.splitlines())) == (kind.code, "", 1)
    assert [phrase for phrase in kind.refusal if phrase not in done.err] == []
    assert await registry.hospitals() == {}


def content(hospital: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in hospital.items() if name not in ADDED}


def check_summary(summary: dict[str, Any], kind: Kind) -> None:
    fates: Counter[str] = Counter(row.fate for row in kind.rows)
    assert {fate: summary[fate] for fate in get_args(RecordStatus)} == {
        fate: fates[fate] for fate in get_args(RecordStatus)
    }
    assert (summary["rows"], summary["unaccounted"], summary["state"]) == (len(kind.rows), 0, "finished")
    assert summary["left_out"] == Counter(field for row in kind.rows for field in row.left_out)
    assert summary["columns_left_out"] == list(kind.columns_left_out)
    assert [phrase for phrase in kind.notes if not any(phrase in note for note in summary["notes"])] == []
    assert (len(summary["notes"]), summary["trouble"]) == (len(kind.notes), None)


def check_report(summary: dict[str, Any], kind: Kind) -> None:
    """Compare the report and the file of rejected rows; there is none if there is nothing to say."""
    path = summary["report"]
    entries = [] if path is None else [json.loads(line) for line in Path(path).read_text().splitlines()]
    told = [row for row in kind.rows if row.left_out or row.fate not in APPLIED]
    assert [reported(entry) for entry in entries] == [to_report(row, kind) for row in told]
    assert all(cell["reason"] for entry in entries for cell in entry.get("left_out", ()))
    to_correct = [row.line for row in kind.rows if row.fate in TO_CORRECT]
    assert (summary["rejects"] is not None) == bool(to_correct)
    if to_correct:
        rejects = csv.DictReader(io.StringIO(Path(summary["rejects"]).read_text()))
        assert [int(row["import_line"]) for row in rejects] == to_correct


def reported(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "line": entry["line"],
        "fate": entry["status"],
        "identity": entry.get("hospital_id"),
        "other_line": entry.get("other_line"),
        "differs": {it["field"]: (it["stored"], it["given"]) for it in entry.get("differences", ())},
        "left_out": {it["field"]: it["value"] for it in entry.get("left_out", ())},
    }


def to_report(row: Row, kind: Kind) -> dict[str, Any]:
    other = next((it.stored for it in kind.rows if it.line == row.other_line), {})
    return {
        "line": row.line,
        "fate": row.fate,
        "identity": None if row.fate in APPLIED else row.stored.get("_id"),
        "other_line": row.other_line,
        "differs": {name: (value, row.stored[name]) for name, value in other.items() if value != row.stored[name]},
        "left_out": dict(row.left_out),
    }


async def test_the_demo_takes_the_column_that_its_message_asks_for(registry: Registry, tmp_path: Path) -> None:
    refused, answered = (kind for kind in KINDS if kind.name.startswith("31_demo_hint"))
    file = tmp_path / refused.file
    file.write_bytes(refused.content)
    demo = ("worker", "demo", "--file", str(file))
    done = await registry.run(*demo)
    assert done.code != 0
    assert refused.refusal[0] in " ".join(done.err.split())
    report = tmp_path / "report.json"
    done = await registry.run(*demo, *answered.options, "--report", str(report))
    assert done.code == 0, done.out + done.err
    found = json.loads(report.read_text())
    assert (found["rows"], found["created"], found["lost"]) == (2, 2, 0)


async def test_corrected_rejects_are_the_same_hospitals_as_in_the_corrected_list(
    registry: Registry, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    # The code of two rows that differ is the same; among the rejected rows each is different.
    rows = [f"{'-' if number in (3, 5) else 'Clinic'},S{min(number, 8)},Town {number}" for number in range(10)]
    path.write_text("List of the ministry\n\nFacility Name,facility_code,City\n" + "\n".join(rows))
    first = json.loads((await registry.run("producers", "ingest", str(path), "--source", "demo", "--json")).out)
    rejects = Path(first["rejects"])
    for file in (rejects, path):
        file.write_text(file.read_text().replace("-,S", "Clinic,S"))
    corrected = await registry.run("producers", "ingest", str(rejects), "--json")
    assert (corrected.code, json.loads(corrected.out)["created"]) == (0, 2)
    again = await registry.run("producers", "ingest", str(path), "--source", "demo", "--json")
    assert (again.code, json.loads(again.out)["same"]) == (0, 10)
    assert len(await registry.hospitals()) == 10


async def test_rows_of_one_name_and_place_that_differ_in_what_is_not_read_do_not_disappear(
    registry: Registry, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    # In different chunks, and one that is repeated.
    rows = [f"Clinic {min(number, 1_500)},Town,Ward {min(number, 1_502)}" for number in range(1_504)]
    path.write_text("Hospital,City,Ward\n" + "\n".join([*rows, "Clinic 1,Town,Ward 7", ""]))
    first, again = [await registry.run("producers", "ingest", str(path), "--json") for _ in range(2)]
    summaries = [json.loads(loaded.out) for loaded in (first, again)]
    assert [(it["created"], it["same"], it["rejected"]) for it in summaries] == [(1_501, 0, 4), (0, 1_501, 4)]
    assert (first.code, again.code) == (1, 1)
    rejects = summaries[0]["rejects"]
    assert (await registry.run("producers", "ingest", rejects, "--on-existing", "merge", "--json")).code != 0
    assert len(await registry.hospitals()) == 1_501
    apart = ("--map", "external_id=Hospital + Ward", "--source", "moh")
    loaded = await registry.run("producers", "ingest", rejects, *apart, "--json")
    assert (loaded.code, json.loads(loaded.out)["created"], len(await registry.hospitals())) == (0, 3, 1_504)
