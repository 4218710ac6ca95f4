import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
import pytest_asyncio
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from tests.acceptance.conftest import Site
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.mongo.documents import new_hospital, now

VICTIMS = 50


@pytest.fixture
def envelopes() -> int:
    """The number of jobs in row 27; `make faults` runs 100,000 with each seed, `make soak` 1,000,000."""
    return int(os.environ.get("FUZZ_ENVELOPES", "10000"))


@pytest.fixture
def fuzz_seed() -> int:
    """The seed of the fuzzed jobs: equal seeds give equal jobs."""
    return int(os.environ.get("FUZZ_SEED", "27"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mongo() -> AsyncIterator[EmbeddedMongo]:
    async with EmbeddedMongo() as server:
        yield server


@pytest_asyncio.fixture
async def site(mongo: EmbeddedMongo, tmp_path: Path) -> AsyncIterator[Site]:
    async with EmbeddedRedis() as redis:
        site = Site(redis, mongo, tmp_path)
        yield site
        await site.close()


class Registry:
    """Reads the hospitals of a site, and adds some (`victims`) that no fuzzed job may change."""

    def __init__(self, site: Site) -> None:
        self._client: pymongo.MongoClient[Any] = pymongo.MongoClient(site.settings.mongodb_url.get_secret_value())
        database = self._client.get_database(site.settings.mongodb_database)
        self._hospitals = database.get_collection("hospitals")
        self._raw = database.get_collection("hospitals", codec_options=CodecOptions(RawBSONDocument))
        self.victims = [f"victim:{number}" for number in range(VICTIMS)]

    def add_victims(self) -> None:
        """Store the hospitals that hostile MongoDB operators target: one half partial, the other registered."""
        self._hospitals.insert_many(
            new_hospital(
                hospital_id,
                {
                    "hospital_name": f"Victim {number}",
                    "source": "victim",
                    "external_id": str(number),
                    "beds": number,
                },
                status="partial" if number % 2 else "registered",
                job_id="before",
                at=now(),
            )
            for number, hospital_id in enumerate(self.victims)
        )

    def bytes_of_victims(self) -> list[bytes]:
        """Return the victims' documents as they are stored."""
        found = self._raw.find({"_id": {"$in": self.victims}}).sort("_id", pymongo.ASCENDING)
        return [document.raw for document in found]

    def count(self) -> int:
        """Return how many hospitals there are."""
        return self._hospitals.count_documents({})

    def get(self, hospital_id: str) -> dict[str, Any]:
        """Return one hospital's document."""
        document: dict[str, Any] | None = self._hospitals.find_one({"_id": hospital_id})
        assert document is not None, f"no hospital {hospital_id}"
        return document

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@pytest.fixture
def registry(site: Site) -> Iterator[Registry]:
    registry = Registry(site)
    yield registry
    registry.close()
