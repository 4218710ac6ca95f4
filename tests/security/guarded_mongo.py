"""A private MongoDB that requires a password, with a user that has the role from deploy/mongo-init.js."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.security.scanner import CANARY
from worker.embedded import EmbeddedMongo, MongoMember
from worker.embedded.folders import DataFolder
from worker.embedded.mongo_member import REPLICA_SET
from worker.embedded.processes import wait_until
from worker.mongo.client import MongoHandle, open_mongo
from worker.mongo.schema import ensure_schema
from worker.settings import load_settings

DATABASE = "guarded"
_INIT = Path(__file__).resolve().parents[2] / "deploy" / "mongo-init.js"
_ROLE = "worker"


def granted_actions() -> Mapping[str, Sequence[str]]:
    """Return the actions by collection that the script grants; its literal is written as valid JSON."""
    literal = re.search(r"const ACTIONS = (\{.*?\});", _INIT.read_text(), re.DOTALL)
    assert literal, "deploy/mongo-init.js has no ACTIONS"
    actions: Mapping[str, Sequence[str]] = json.loads(literal[1])
    return actions


class GuardedMongo(MongoMember):
    """The only member of a replica set that requires a password; users `root` and `worker`."""

    @property
    def url(self) -> str:
        """The URL with the worker's login."""
        return f"mongodb://worker:{CANARY}@{self.address}/?replicaSet={REPLICA_SET}&authSource=admin"

    @property
    def root_url(self) -> str:
        """The URL with the login of `root`, who may do everything."""
        return self.url.replace("//worker:", "//root:")

    def _arguments(self, folder: Path, port: int) -> Sequence[str]:
        key = folder / "keyfile"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(CANARY)
        return [*super()._arguments(folder, port), "--keyFile", str(key)]

    async def _answering_pid(self, port: int) -> int | None:
        login = f"mongodb://root:{CANARY}@127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=300"

        def ask() -> int | None:
            with MongoClient[dict[str, Any]](login) as client:
                try:
                    return int(client.admin.command("serverStatus")["pid"])
                except PyMongoError:
                    return None

        # PyMongo's asynchronous client leaves the sockets of failed attempts to the garbage collector.
        return await asyncio.to_thread(ask)


@asynccontextmanager
async def guarded_mongo(folder: Path) -> AsyncIterator[GuardedMongo]:
    """Start a MongoDB in `folder` without passwords, create its users, and restart it so that it requires them."""
    async with EmbeddedMongo(data_dir=folder) as unguarded:
        privileges = [
            {"resource": {"db": DATABASE, "collection": collection}, "actions": actions}
            for collection, actions in granted_actions().items()
        ]
        await unguarded.members[0].command("createRole", _ROLE, privileges=privileges, roles=[])
        await unguarded.members[0].command("createUser", "root", pwd=CANARY, roles=["root"])
        await unguarded.members[0].command("createUser", "worker", pwd=CANARY, roles=[_ROLE])
    server = GuardedMongo(0, DataFolder(folder), standalone=False, test_commands=False, start_timeout=30)
    await server.start()
    try:

        async def writable() -> bool:
            state = await server.hello()
            return bool(state and state["isWritablePrimary"])

        await wait_until(writable, seconds=30, failure=lambda: "the guarded MongoDB has no primary")
        await make_schema(server)
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def as_root(server: GuardedMongo) -> AsyncIterator[MongoHandle]:
    """Yield the service's client, logged in as `root`, who may do everything."""
    mongo = open_mongo(load_settings(mongodb_url=server.root_url, mongodb_database=DATABASE))
    try:
        yield mongo
    finally:
        await mongo.close()


async def make_schema(server: GuardedMongo) -> None:
    """Create the schema, which must exist before a worker starts."""
    async with as_root(server) as mongo:
        await ensure_schema(mongo)
