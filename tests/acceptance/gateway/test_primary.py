"""The gateway while the primary of MongoDB is killed, under load."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import serving, settings_of
from tests.security.scanner import CANARY
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.mongo.client import MongoHandle, open_mongo

_SENDERS, _READERS = 4, 2
_READS = ("/v1/hospitals?limit=5", "/v1/hospitals/cms:0-0", "/v1/imports")
# Between two requests of one client: the servers and the worker share the machine.
_PAUSE_S = 0.02


class Load:
    """Clients that enqueue, and clients that read, until they are told to stop."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._stop = asyncio.Event()
        self.accepted = 0
        self.refused: Counter[int] = Counter()
        self.reads: Counter[int] = Counter()
        self.invalid: list[httpx.Response] = []

    async def send(self, sender: int) -> None:
        number = 0
        while not self._stop.is_set():
            record = {"hospital_name": f"H {sender} {number}", "source": "cms", "external_id": f"{sender}-{number}"}
            answer = await self._client.post("/v1/jobs/ingest_hospital", json={"record": record})
            if answer.status_code == 202:
                self.accepted += 1
            else:
                self.refused[answer.status_code] += 1
            number += 1
            await asyncio.sleep(_PAUSE_S)

    async def read(self, reader: int) -> None:
        number = reader
        while not self._stop.is_set():
            number += 1
            answer = await self._client.get(_READS[number % len(_READS)])
            self.reads[answer.status_code] += 1
            is_told = answer.headers.get("content-type") == "application/problem+json"
            if answer.status_code == 503 and not (is_told and int(answer.headers["retry-after"]) > 0):
                self.invalid.append(answer)
            await asyncio.sleep(_PAUSE_S)

    async def __aenter__(self) -> "Load":
        senders = [asyncio.create_task(self.send(number)) for number in range(_SENDERS)]
        self._tasks = [*senders, *(asyncio.create_task(self.read(number)) for number in range(_READERS))]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)


async def test_no_request_is_lost_while_the_primary_is_killed(tmp_path: Path) -> None:
    async with EmbeddedRedis(password=CANARY) as redis, EmbeddedMongo(members=3) as mongo:
        site = Site(redis, mongo, tmp_path)
        await site.worker()
        async with serving(**settings_of(site)) as gateway, Load(await gateway.client("clerk")) as load:
            await site.until(lambda: load.reads[200] > 20 and load.accepted > 20)
            killed, accepted = await mongo.primary(), load.accepted
            await killed.kill()
            # While there is no primary, too.
            await site.until(lambda: load.accepted > accepted + 20)
            await mongo.primary()
            read = load.reads[200]
            await site.until(lambda: load.reads[200] > read + 20, 40)

        assert (load.refused, load.invalid) == ({}, [])
        assert set(load.reads) <= {200, 404, 503}
        registry = open_mongo(site.settings)
        assert await site.until(lambda: _has_all(registry, load.accepted), 60)
        await registry.close()
        await site.close()


async def _has_all(registry: MongoHandle, count: int) -> bool:
    return await registry.hospitals.count_documents({}) == count
