"""The programs of docs/guides and docs/testing.md, as they are printed there."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Finished, Site
from tests.support.guides import GUIDES, ROOT, save
from tests.support.waiting import until
from worker.contract import FIND_IMPORTS
from worker.contract.imports import FindImports
from worker.mongo.client import MongoHandle


@pytest.fixture
def folder(site: Site) -> Path:
    """Where a guide's programs are, and are imported from."""
    folder = site.folder / "guide"
    folder.mkdir()
    site.environment["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(folder)))
    return folder


async def run(site: Site, *command: str) -> Finished:
    return await site.run(*command, PYTHONPATH=site.environment["PYTHONPATH"])


@asynccontextmanager
async def api(site: Site, module: str) -> AsyncIterator[httpx.AsyncClient]:
    """The service of a module, on a socket of its own."""
    socket = site.folder / "api.sock"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", f"{module}:app", "--uds", str(socket), "--log-level", "warning"),
        env={**os.environ, **site.environment},
    )
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/openapi.json")).is_success
                except httpx.TransportError:
                    return False

            await until(answers, 30)
            yield client
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_the_fastapi_service_enqueues_and_answers(site: Site, registry: MongoHandle, folder: Path) -> None:
    save(GUIDES / "fastapi.md", folder)
    await site.worker()
    body = {"hospital_name": "Sunrise Clinic", "source": "hr", "external_id": "42", "beds": 3}
    async with api(site, "hospitals_api") as client:
        call: dict[str, Any] = {"json": body, "headers": {"Idempotency-Key": "hr-42"}}
        taken = await client.post("/hospitals", **call)
        assert (taken.status_code, taken.json()) == (202, {"job": "ingest_hospital:hr-42", "state": "new"})

        async def ended() -> bool:
            return bool((await client.get("/jobs/ingest_hospital:hr-42")).json()["state"] == "done")

        await until(ended, 20)
        assert (await client.get("/jobs/ingest_hospital:hr-42")).json()["outcome"]["status"] == "created"
        assert (await client.post("/hospitals", **call)).json()["state"] == "done"
        other = {**body, "hospital_name": "Moonlight Clinic"}
        used = await client.post("/hospitals", json=other, headers={"Idempotency-Key": "hr-42"})
        assert used.status_code == 409
        refused = await client.post("/hospitals", json=body, headers={"Idempotency-Key": "with space"})
        assert refused.status_code == 422
    assert await registry.hospitals.count_documents({"beds": 3}) == 1


async def test_the_script_sends_a_file_and_says_how_it_went(
    site: Site, registry: MongoHandle, folder: Path
) -> None:
    save(GUIDES / "script.md", folder)
    await site.worker()
    rows = "".join(f"{number},Clinic {number},Split\n" for number in range(600))
    (folder / "changes.csv").write_text("id,name,city\n" + rows)

    for _ in range(2):
        sent = await run(site, "send_changes", str(folder / "changes.csv"))
        assert (sent.code, sent.out, sent.err) == (0, "600 sent, 600 applied, 0 without an outcome\n", "")
    assert await registry.hospitals.count_documents({"city": "Split"}) == 600
    (folder / "changes.csv").write_text("id,name,city\n1,,Split\n")
    refused = await run(site, "send_changes", str(folder / "changes.csv"))
    assert refused.code == 1
    assert "record.hospital_name" in refused.err


async def test_the_workers_run_a_job_of_the_users_own(site: Site, registry: MongoHandle, folder: Path) -> None:
    save(GUIDES / "own-jobs.md", folder)
    await site.worker("ward_worker.WorkerSettings", PYTHONPATH=site.environment["PYTHONPATH"])

    for _ in range(2):
        opened = await run(site, "open_a_ward")
        assert (opened.code, opened.out, opened.err) == (0, "1\n", "")
    assert await registry.database["wards"].count_documents({"beds": 12}) == 1
    # The jobs of the registry are there as well.
    async with site.producer() as producer:
        receipt = await producer.enqueue(FIND_IMPORTS, FindImports())
        assert (await receipt.outcome(timeout=20)).found == []


async def test_the_examples_of_tests_pass(site: Site, folder: Path) -> None:
    """With the plugin by its name, because the package may run from its source."""
    pages = (ROOT / "docs" / "testing.md", *sorted(GUIDES.glob("*.md")))
    names = [name for page in pages for name in save(page, folder)]
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) >= 7
    options = ("-q", "-p", "producers.testing.plugin", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    done = await site.run(
        *("pytest", *options, "--rootdir", str(folder), *(str(folder / name) for name in tests)),
        PYTHONPATH=site.environment["PYTHONPATH"],
    )
    assert done.code == 0, done.out[-5_000:]
    passed = re.search(r"^(\d+) passed\b", done.out, re.MULTILINE)
    assert passed, done.out[-5_000:]
    functions = sum((folder / name).read_text().count("\ndef test_") for name in tests)
    functions += sum((folder / name).read_text().count("\nasync def test_") for name in tests)
    assert int(passed[1]) >= functions


async def test_without_the_extra_a_fixture_names_it(site: Site, folder: Path) -> None:
    (folder / "pymongo.py").write_text("raise ModuleNotFoundError('no pymongo', name='pymongo')\n")
    (folder / "test_it.py").write_text("def test_it(command_log):\n    assert command_log\n")
    options = ("-q", "-p", "producers.testing.plugin", "-p", "no:cacheprovider", "--rootdir", str(folder))
    path = os.pathsep.join((str(folder), str(ROOT)))
    done = await site.run("pytest", *options, str(folder / "test_it.py"), PYTHONPATH=path)
    assert done.code == 1
    assert "command_log needs pymongo: pip install 'hospital-registry-worker[embedded]'" in done.out
