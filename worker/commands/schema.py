"""`hospital-worker schema`: creates the MongoDB schema that workers need, as a user with that permission."""

import typer

from worker.commands.support import run
from worker.mongo.client import open_mongo
from worker.mongo.schema import ensure_schema
from worker.mongo.startup import check_mongo
from worker.settings import load_settings


def schema() -> None:
    """Create or update collections, indexes and validators in MongoDB. It is safe to run this repeatedly.

    Needed if the workers' MongoDB user lacks that permission. Run it before you start workers of a new version,
    with a MONGODB_URL whose user has the role dbOwner, or readWrite and dbAdmin, on MONGODB_DATABASE.
    """

    async def ensure() -> str:
        settings = load_settings()
        mongo = open_mongo(settings)
        try:
            await check_mongo(mongo, settings)
            await ensure_schema(mongo)
        finally:
            await mongo.close()
        return settings.mongodb_database

    typer.echo(f"the schema of {run(ensure)} is in place")
