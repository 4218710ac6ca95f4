"""Uploads, and the imports that they begin."""

import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from producers.files.spooling import UPLOAD_PREFIX
from producers.gateway.acts import record
from producers.gateway.routes import imports as routes
from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import Gateway, events, serving, settings_of
from worker.contract import BULK_QUEUE, CLOSE_IMPORT, batch_job_id
from worker.contract.actions import Action
from worker.mongo.client import MongoHandle
from worker.queue import keys
from worker.queue.batches import BatchStore
from worker.queue.scripts import Enqueue

NAME = {"name": "list.csv", "source": "moh"}


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which uploads are kept, which has nothing of theirs in the end."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def uploads_in(spool: Path) -> list[Path]:
    return list(spool.glob(f"{UPLOAD_PREFIX}*"))


def rows(count: int, first: int = 0) -> bytes:
    lines = [f"{number},Hospital {number},Paris\n" for number in range(first, first + count)]
    return "".join(["Code,Hospital Name,City\n", *lines]).encode()


async def end_of(client: httpx.AsyncClient, begun: httpx.Response) -> dict[str, Any]:
    """Follow the events of an import to its end, and return what the last one says."""
    assert begun.status_code == 202, begun.text
    async with client.stream("GET", f"/v1/events/imports/{begun.json()['import_id']}") as response:
        seen = [found async for found in events(response)]
    assert {name for name, _ in seen[:-1]} <= {"progress"}
    assert seen[-1][0] == "ended"
    last: dict[str, Any] = seen[-1][1]
    return last


async def test_an_upload_becomes_an_import_with_progress_to_its_end(
    site: Site, registry: MongoHandle, gateway: Gateway, spool: Path
) -> None:
    await site.worker()
    client = await gateway.client("clerk")
    list_csv = rows(2_500) + b",,Nowhere\n"

    begun = await client.post("/v1/imports", params=NAME, content=list_csv)
    ended = await end_of(client, begun)

    assert (begun.json()["resumed"], begun.json()["file"]["rows"]) == (False, 2_501)
    assert begun.json()["file"]["name"] == "list.csv"
    assert begun.json()["started_by"] == "clerk@gateway"
    assert begun.headers["location"] == f"/v1/imports/{begun.json()['import_id']}"
    assert (ended["state"], ended["unaccounted"]) == ("finished", 0)
    assert {status: count for status, count in ended["rows"].items() if count} == {"created": 2_500, "rejected": 1}
    assert (await client.get(begun.headers["location"])).json() == ended
    (listed,) = (await client.get("/v1/imports")).json()["imports"]
    assert (listed["import_id"], listed["state"]) == (ended["import_id"], "finished")
    assert "profile" not in listed
    report = await client.get(f"{begun.headers['location']}/report")
    (row,) = [json.loads(line) for line in report.text.splitlines()]
    assert (row["line"], row["status"]) == (2_502, "rejected")
    assert report.headers["content-type"] == "application/x-ndjson"
    assert await registry.hospitals.count_documents({"source": "moh"}) == 2_500
    await site.until(lambda: not uploads_in(spool))


async def test_a_file_is_sent_in_parts_and_compressed_under_the_name_of_its_header(
    site: Site, gateway: Gateway
) -> None:
    await site.worker()
    client = await gateway.client("clerk")
    packed = gzip.compress(rows(1_000))

    async def parts() -> Any:
        for at in range(0, len(packed), 500):
            yield packed[at : at + 500]

    header = {"Content-Disposition": "attachment; filename*=UTF-8''%C3%B3r.csv.gz"}
    begun = await client.post(
        "/v1/imports", params={"map": ["city=", "beds=City"]}, content=parts(), headers=header
    )

    assert begun.json()["file"]["name"] == "ór.csv.gz"
    assert (await end_of(client, begun))["rows"]["created"] == 1_000
    # Cells that are no numbers.
    assert (await client.get(begun.headers["location"])).json()["left_out"] == {"beds": 1_000}


@pytest.mark.parametrize(
    ("parameters", "body", "field"),
    [
        ({}, rows(3), "name"),
        ({"name": "../list.csv"}, rows(3), "name"),
        (NAME, b"", "body"),
        (NAME, b"\x00\x01\x02" * 100, "file"),
        ({**NAME, "sauce": "moh"}, rows(3), "sauce"),
        ({**NAME, "source": "Not A Source"}, rows(3), "source"),
        ({**NAME, "on_existing": "drop"}, rows(3), "on_existing"),
        ({**NAME, "map": "beds"}, rows(3), "map"),
        ({**NAME, "map": "beds=No Such Column"}, rows(3), "file"),
        ({**NAME, "encoding": "no-such-encoding"}, rows(3), "file"),
    ],
)
async def test_what_cannot_be_imported_is_refused_and_leaves_nothing(
    site: Site, gateway: Gateway, spool: Path, parameters: dict[str, str], body: bytes, field: str
) -> None:
    client = await gateway.client("clerk")

    answer = await client.post("/v1/imports", params=parameters, content=body)

    assert (answer.status_code, [it["field"] for it in answer.json()["errors"]]) == (422, [field]), answer.text
    assert str(spool) not in answer.text
    assert uploads_in(spool) == []
    assert await site.redis.zcard("arq:queue") == 0


@pytest.mark.parametrize("announced", [True, False])
async def test_a_file_that_is_too_large_is_refused_and_removed(site: Site, spool: Path, *, announced: bool) -> None:
    async def parts() -> Any:
        for _ in range(40):
            yield b"x" * 1_000

    async with serving(**settings_of(site), gateway_upload_bytes=20_000, gateway_body_bytes=1_024) as gateway:
        client = await gateway.client("clerk")
        answer = await client.post("/v1/imports", params=NAME, content=b"x" * 40_000 if announced else parts())

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert uploads_in(spool) == []


async def test_a_client_that_leaves_leaves_nothing(site: Site, gateway: Gateway, spool: Path) -> None:
    client = await gateway.client("clerk")

    def parts() -> Iterator[bytes]:
        yield b"Name\n" * 20_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        async with client.stream("POST", "/v1/imports", params=NAME, content=_async(parts())):
            pass

    await site.until(lambda: not uploads_in(spool))
    assert (await client.get("/health/live")).status_code == 200


async def _async(parts: Iterator[bytes]) -> Any:
    for part in parts:
        yield part


async def test_what_is_interrupted_is_continued_by_the_same_file(
    site: Site, registry: MongoHandle, spool: Path
) -> None:
    worker = await site.worker()
    list_csv = rows(30_000)
    async with serving(**settings_of(site)) as gateway:
        client = await gateway.client("clerk")
        begun = (await client.post("/v1/imports", params=NAME, content=list_csv)).json()
        worker.process.kill()
    assert uploads_in(spool) == []

    await site.worker()
    async with serving(**settings_of(site)) as gateway:
        client = await gateway.client("clerk")
        running = (await client.get(f"/v1/imports/{begun['import_id']}")).json()
        assert running["state"] == "running"
        again = await client.post("/v1/imports", params=NAME, content=list_csv)
        ended = await end_of(client, again)

    assert (again.json()["resumed"], ended["import_id"]) == (True, begun["import_id"])
    assert (ended["state"], ended["unaccounted"]) == ("finished", 0)
    assert await registry.hospitals.count_documents({}) == 30_000


async def test_an_import_goes_on_when_a_worker_is_back(site: Site, registry: MongoHandle, gateway: Gateway) -> None:
    worker = await site.worker()
    client = await gateway.client("clerk")
    begun = await client.post("/v1/imports", params=NAME, content=rows(20_000))
    worker.process.kill()
    await site.worker()

    ended = await end_of(client, begun)

    assert (ended["state"], ended["unaccounted"]) == ("finished", 0)
    assert await registry.hospitals.count_documents({}) == 20_000


async def test_an_operator_cancels_an_import(site: Site, gateway: Gateway) -> None:
    worker = await site.worker()
    clerk, boss = await gateway.client("clerk"), await gateway.client("boss")
    begun = await clerk.post("/v1/imports", params=NAME, content=rows(10))
    location = begun.headers["location"]
    await end_of(clerk, begun)
    assert (await clerk.post(f"{location}/cancel")).status_code == 403
    assert (await boss.post(f"{location}/cancel")).json()["code"] == "nothing-to-do"
    worker.process.kill()
    # A batch of that id whose chunks wait, as if none had run.
    import_id, batches = begun.json()["import_id"], BatchStore(site.redis)
    await site.redis.delete(*[f"arq:batch{part}:{import_id}" for part in ("", "-jobs", "-order", "-completion")])
    await batches.create(import_id, None)
    waiting = [Enqueue(f"ingest_hospitals:{number}", BULK_QUEUE, b"{}") for number in range(3)]
    await site.scripts.enqueue(waiting, import_id)

    answer = await boss.post(f"{location}/cancel", params={"reason": "the wrong list"})

    assert (answer.status_code, answer.json()["jobs"]) == (202, {"total": 3, "dropped": 3})
    assert (await batches.progress(import_id)).state == "cancelled"
    (action,) = [Action.model_validate_json(data) for data in (await site.redis.hgetall(keys.ACTIONS)).values()]
    assert (action.actor, action.act, action.ids) == ("boss@gateway", "cancel", (import_id,))
    assert action.reason == "the wrong list"


async def test_an_import_that_has_no_batch_yet_is_cancelled(
    site: Site, registry: MongoHandle, gateway: Gateway
) -> None:
    """Its upload goes on when Redis is back, and would make one."""
    await site.worker()
    clerk, boss = await gateway.client("clerk"), await gateway.client("boss")
    begun = await clerk.post("/v1/imports", params=NAME, content=rows(10))
    ended = await end_of(clerk, begun)
    import_id, imports = begun.json()["import_id"], registry.database["imports"]
    assert (ended["unaccounted"], ended["rows"]["created"]) == (0, 10)
    # As if a chunk had been a dead letter when the import ended.
    await imports.update_one({"_id": import_id}, {"$set": {"counts": {}}})
    assert (await boss.get(begun.headers["location"])).json()["unaccounted"] == 0
    parts = [f"arq:batch{part}:{import_id}" for part in ("", "-jobs", "-order", "-completion")]
    await site.redis.delete(*parts, keys.RESULT + batch_job_id(CLOSE_IMPORT, import_id))
    await imports.update_one(
        {"_id": import_id}, {"$set": {"state": "running"}, "$unset": {"ended_at": "", "counts": ""}}
    )

    answer = await boss.post(f"{begun.headers['location']}/cancel")

    assert answer.status_code == 202
    assert (await BatchStore(site.redis).progress(import_id)).state == "cancelled"
    await site.until(lambda: imports.find_one({"_id": import_id, "state": "cancelled"}))


async def test_an_import_whose_last_job_ends_before_it_is_cancelled_was_not_cancelled(
    site: Site, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.worker()
    clerk, boss = await gateway.client("clerk"), await gateway.client("boss")
    begun = await clerk.post("/v1/imports", params=NAME, content=rows(10))
    await end_of(clerk, begun)
    import_id, batches = begun.json()["import_id"], BatchStore(site.redis)
    await site.redis.delete(*[f"arq:batch{part}:{import_id}" for part in ("", "-jobs", "-order", "-completion")])
    await batches.create(import_id, None)

    async def end_meanwhile(*given: Any) -> None:
        await batches.seal(import_id)
        await record(*given)

    monkeypatch.setattr(routes, "record", end_meanwhile)

    answer = await boss.post(f"{begun.headers['location']}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-do")
    assert "its last job has ended meanwhile" in answer.json()["detail"]


async def test_an_unknown_import_is_not_found(gateway: Gateway) -> None:
    client = await gateway.client("boss")
    for path in ("/v1/imports/none", "/v1/imports/none/report", "/v1/events/imports/none"):
        assert (await client.get(path)).json()["code"] == "not-found"
    assert (await client.post("/v1/imports/none/cancel")).json()["code"] == "not-found"
