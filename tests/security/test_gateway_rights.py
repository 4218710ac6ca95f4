"""The role for the gateway's user of MongoDB in docs/security.md is enough for its requests, and only reads."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pymongo.errors import OperationFailure

from tests.acceptance.gateway.conftest import serving
from tests.security.conftest import RunJob
from tests.security.guarded_mongo import DATABASE, GuardedMongo, as_root
from tests.security.scanner import CANARY
from worker.embedded import EmbeddedRedis
from worker.mongo.client import open_mongo
from worker.settings import load_settings

DOCS = Path(__file__).resolve().parents[2] / "docs" / "security.md"
_UNAUTHORIZED = 13
IMPORT = {
    "import_id": "gateway",
    "fingerprint": "ef" * 32,
    "file": {"name": "list.csv", "bytes": 120, "sha256": "cd" * 32, "rows": 1},
    "on_existing": "keep",
    "profile": "",
    "started_by": "clerk@gateway",
}


@pytest_asyncio.fixture
async def gateway_url(guarded: GuardedMongo) -> AsyncIterator[str]:
    """The URL with the login of a user that has the role of the documentation."""
    literal = re.search(r"createRole\((\{.*?\})\)", DOCS.read_text(), re.DOTALL)
    assert literal
    role = json.loads(literal[1].replace("Hospital_Optics", DATABASE))
    name = role.pop("role")
    async with as_root(guarded) as root:
        admin = root.client["admin"]
        await admin.command("createRole", name, **role)
        await admin.command("createUser", "gateway", pwd=CANARY, roles=[name])
        yield guarded.url.replace("//worker:", "//gateway:")
        await admin.command("dropUser", "gateway")
        await admin.command("dropRole", name)


async def test_the_gateway_reads_under_its_role(gateway_url: str, run_job: RunJob) -> None:
    record = {"hospital_name": "Mercy", "source": "cms", "external_id": "gateway"}
    outcome = await run_job("ingest_hospital", {"record": record})
    await run_job("open_import", IMPORT)
    async with (
        EmbeddedRedis() as redis,
        serving(redis_url=redis.url, mongodb_url=gateway_url, mongodb_database=DATABASE) as gateway,
    ):
        client = await gateway.client("reader")
        assert (await client.get("/health/ready")).json() == {"redis": "ok", "mongodb": "ok"}
        for path in ("/v1/hospitals/cms:gateway", "/v1/hospitals", "/v1/imports"):
            parameters = {} if "imports" in path else {"token": outcome.token}
            assert (await client.get(path, params=parameters)).status_code == 200, path
        for path in ("/v1/imports/gateway", "/v1/imports/gateway/report"):
            assert (await client.get(path)).status_code == 200, path
        # Looked for in the history.
        assert (await client.get("/v1/explanations/ingest_hospital:none")).status_code == 404


async def test_its_user_writes_nothing_and_reads_no_audit_log(gateway_url: str) -> None:
    mongo = open_mongo(load_settings(mongodb_url=gateway_url, mongodb_database=DATABASE))
    for refused in (
        mongo.hospitals.insert_one({"_id": "x"}),
        mongo.hospitals.delete_one({"_id": "x"}),
        mongo.database["imports"].insert_one({"_id": "x"}),
        mongo.logs.find_one({}),
    ):
        with pytest.raises(OperationFailure) as error:
            await refused
        assert error.value.code == _UNAUTHORIZED
    await mongo.close()
