"""Rows 28 to 31: the producer refuses hostile input before it sends anything; the worker dead-letters it.

Each input is tried both ways: through `HospitalProducer`, and as an envelope that another client writes to Redis.
"""

import json
import math
import pickle  # noqa: TID251 - to create bytes that must not be unpickled
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from producers.client import HospitalProducer
from tests.acceptance.conftest import Site
from tests.fuzz.conftest import Registry
from worker.codec import MAX_JOB_BYTES, Codec
from worker.contract import DEFAULT_QUEUE, INGEST_HOSPITAL, HospitalRecord
from worker.contract.fields import GeoPoint
from worker.embedded import EmbeddedMongo, EmbeddedRedis
from worker.errors import InvalidPayload, RegistryError
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter
from worker.queue.dead_letter_store import DeadLetterNotFound

pytestmark = pytest.mark.asyncio(loop_scope="module")

Put = Callable[[HospitalProducer], Awaitable[object]]
NAME = {"hospital_name": "Mercy"}
AUDIT_FIELDS: dict[str, Any] = {"actor": "dr-ito", "reason": "licence 4711"}


class Bench:
    """A running worker, a registry, and a producer with its own Redis, where all that it sends is visible."""

    def __init__(self, site: Site, registry: Registry, producer: HospitalProducer, sent_to: Site) -> None:
        self.site = site
        self.registry = registry
        self._producer = producer
        self._sent_to = sent_to
        self._jobs = 0

    async def refused_paths(self, put: Put) -> list[str]:
        """Return the paths that the producer refuses, and check that it sends nothing."""
        with pytest.raises(InvalidPayload) as caught:
            await put(self._producer)
        assert await self._sent_to.redis.dbsize() == 0
        return [problem.path for problem in caught.value.problems]

    async def refused_record_paths(self, record: dict[str, Any]) -> list[str]:
        """Return the paths that the producer refuses, relative to the record."""
        paths = await self.refused_paths(lambda producer: producer.ingest_hospitals([record]))
        return [path.removeprefix("records[0]").removeprefix(".") for path in paths]

    async def put(self, payload: bytes) -> str:
        """Write a job as another client might; return its id."""
        self._jobs += 1
        job_id = f"row:{self._jobs}"
        await self.site.redis.set(keys.JOB + job_id, payload)
        await self.site.redis.zadd(DEFAULT_QUEUE, {job_id: 1})
        await self.site.redis.lpush(DEFAULT_QUEUE + keys.WAKEUP_SUFFIX, 1)
        return job_id

    async def dead_letter_of(self, payload: bytes) -> DeadLetter:
        """Return the dead letter of a job; check that it had exactly one try and that the registry is unchanged."""
        victims, count = self.registry.bytes_of_victims(), self.registry.count()
        job_id = await self.put(payload)

        async def find() -> DeadLetter | None:
            try:
                return await self.site.dead_letters.get(job_id)
            except DeadLetterNotFound:
                return None

        dead_letter: DeadLetter = await self.site.until(find, 10)
        assert (dead_letter.reason, dead_letter.failure.tries, dead_letter.history) == ("permanent error", 1, [])
        assert dead_letter.envelope == payload
        assert self.registry.bytes_of_victims() == victims
        assert self.registry.count() == count
        return dead_letter


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(mongo: EmbeddedMongo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with EmbeddedRedis() as redis, EmbeddedRedis() as other:
        site = Site(redis, mongo, tmp_path_factory.mktemp("worker"))
        sent_to = Site(other, mongo, tmp_path_factory.mktemp("producer"))
        await site.worker()
        registry = Registry(site)
        registry.add_victims()
        async with sent_to.producer() as producer:
            yield Bench(site, registry, producer, sent_to)
        registry.close()
        await sent_to.close()
        await site.close()


def envelope(function: str, payload: str) -> bytes:
    """Return an envelope around the JSON text of a payload."""
    # Surrogates, which are invalid in UTF-8, are written anyway, as by a careless client.
    return f'{{"v":1,"f":"{function}","a":[{payload}],"et":1}}'.encode("utf-8", "surrogatepass")


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth - 1):
        inner = [inner]
    return inner


def text(value: object) -> str:
    """Return JSON, with values that JSON should not hold: NaN, escaped surrogates, integers of any length."""
    return json.dumps(value)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"attributes": {"a\0b": 1}}, 'attributes."a\\x00b"'),
        ({"be\0ds": 1}, '"be\\x00ds"'),
        ({"city": "a\0b"}, "city"),
        ({"city": "\ud800"}, "city"),
        ({"attributes": {"a": "x\udfff"}}, "attributes.a"),
        ({"attributes": {"\ud800": 1}}, 'attributes."\\ufffd\\ufffd\\ufffd"'),
        ({"beds": 2**64}, "beds"),
        ({"attributes": {"a": 2**64}}, "attributes.a"),
        ({"attributes": {"a": -(2**63) - 1}}, "attributes.a"),
        ({"attributes": {"a": 10**400}}, "attributes.a"),
        ({"attributes": {"a": math.nan}}, "attributes.a"),
        ({"attributes": {"a": math.inf}}, "attributes.a"),
        ({"location": {"coordinates": [math.nan, 0]}}, "location.coordinates[0]"),
    ],
)
async def test_row_28_values_that_cannot_be_stored_are_refused(
    bench: Bench, fields: dict[str, Any], path: str
) -> None:
    assert await bench.refused_record_paths(NAME | fields) == [path]
    dead_letter = await bench.dead_letter_of(envelope("ingest_hospital", text({"record": NAME | fields})))
    assert dead_letter.failure.type in ("InvalidPayload", "InvalidEnvelope")


@pytest.mark.parametrize("revision", [2**63, 2**64, 10**400, -1, math.nan, math.inf])
async def test_row_28_revisions_past_64_bits_are_refused(bench: Bench, revision: Any) -> None:
    assert await bench.refused_paths(lambda producer: producer.discard_hospital("victim:1", revision=revision)) == [
        "revision"
    ]
    payload = text({"hospital_id": "victim:1", "revision": revision})
    assert (await bench.dead_letter_of(envelope("discard_hospital", payload))).failure.type.startswith("Invalid")


@pytest.mark.parametrize("depth", [1_000, 100_000])
async def test_row_28_deep_nesting_is_refused(bench: Bench, depth: int) -> None:
    assert await bench.refused_record_paths(NAME | {"attributes": {"a": nested(depth)}}) == ["attributes.a"]
    deep = "[" * depth + "]" * depth
    for payload in (deep, f'{{"record":{{"hospital_name":"Mercy","attributes":{{"a":{deep}}}}}}}'):
        assert (await bench.dead_letter_of(envelope("ingest_hospital", payload))).failure.type == "InvalidEnvelope"


async def test_row_28_over_16_mb_is_refused(bench: Bench) -> None:
    attributes: dict[str, Any] = {f"field{number}": "é" * 1_000 for number in range(50)}
    large = HospitalRecord(hospital_name="Mercy", attributes=attributes, location=GeoPoint(coordinates=(1.0, 2.0)))
    assert await bench.refused_paths(lambda producer: producer.ingest_hospitals([large] * 170)) == ["payload"]

    # Valid, with each record far below MongoDB's limit, but too large as a whole.
    records = [
        {**large.model_dump(mode="json", exclude_unset=True), "hospital_name": f"Mercy {n}"} for n in range(170)
    ]
    body = Codec().encode({"f": "ingest_hospitals", "a": [{"records": records}], "et": 1})
    assert len(body) > MAX_JOB_BYTES
    assert "at most 16,777,216" in (await bench.dead_letter_of(body)).failure.message
    valid = envelope("ingest_hospital", text({"record": NAME}))
    assert "at most 16,777,216" in (await bench.dead_letter_of(valid + b" " * MAX_JOB_BYTES)).failure.message


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"$set": {"status": "registered"}}, "$set"),
        ({"$where": "sleep(1000)"}, "$where"),
        ({"location.type": "Point"}, '"location.type"'),
        ({"attributes": {"$gt": 1}}, "attributes.$gt"),
        ({"attributes": {"a.b": 1}}, 'attributes."a.b"'),
        ({"attributes": {"a": {"$gt": ""}}}, "attributes.a"),
        ({"location": {"coordinates": [0, 0], "$near": {}}}, "location.$near"),
        ({"hospital_name": {"$gt": ""}}, "hospital_name"),
        ({"source": "victim", "external_id": {"$ne": None}}, "external_id"),
        ({"source": {"$regex": "."}, "external_id": "1"}, "source"),
        ({"observed_at": {"$date": 0}}, "observed_at"),
        ({"hospital_type": {"$exists": True}}, "hospital_type"),
    ],
)
async def test_row_29_operators_in_a_record_are_refused(bench: Bench, fields: dict[str, Any], path: str) -> None:
    assert await bench.refused_record_paths(NAME | fields) == [path]
    for function, more in (("ingest_hospital", {"on_existing": "merge"}), ("register_hospital", AUDIT_FIELDS)):
        dead_letter = await bench.dead_letter_of(envelope(function, text({"record": NAME | fields} | more)))
        assert dead_letter.failure.type == "InvalidPayload"
        assert f"record.{path}: " in dead_letter.failure.message


OPERATORS: list[Any] = [
    {"$gt": ""}, {"$ne": None}, {"$in": ["victim:1"]}, {"$regex": "^victim"}, ["victim:1"], {"$where": "true"},
]  # fmt: skip


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
async def test_row_29_operators_in_place_of_texts_are_refused(bench: Bench, operator: Any) -> None:
    changes: Any = {"city": "Elsewhere"}
    puts: dict[str, tuple[str, Put, dict[str, Any]]] = {
        "correct_hospital": (
            "hospital_id",
            lambda producer: producer.correct_hospital(operator, changes, revision=1),
            {"hospital_id": operator, "changes": changes, "revision": 1},
        ),
        "discard_hospital": (
            "hospital_id",
            lambda producer: producer.discard_hospital(operator, revision=1),
            {"hospital_id": operator, "revision": 1},
        ),
        "amend_hospital": (
            "hospital_id",
            lambda producer: producer.amend_hospital(operator, changes, **AUDIT_FIELDS),
            {"hospital_id": operator, "changes": changes, **AUDIT_FIELDS},
        ),
        "withdraw_hospital": (
            "hospital_id",
            lambda producer: producer.withdraw_hospital(operator, **AUDIT_FIELDS),
            {"hospital_id": operator, **AUDIT_FIELDS},
        ),
        "register_hospital": (
            "actor",
            lambda producer: producer.register_hospital(
                HospitalRecord(hospital_name="Mercy"), actor=operator, reason="r"
            ),
            {"record": NAME, "actor": operator, "reason": "r"},
        ),
        "ingest_hospital": (
            "on_existing",
            lambda producer: producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"), on_existing=operator),
            {"record": NAME, "on_existing": operator},
        ),
    }
    for function, (path, put, payload) in puts.items():
        assert await bench.refused_paths(put) == [path]
        dead_letter = await bench.dead_letter_of(envelope(function, text(payload)))
        assert f"{path}: " in dead_letter.failure.message


async def test_row_29_text_that_looks_like_a_path_stays_text(bench: Bench) -> None:
    """A pipeline reads operators and field paths; texts in a record must not become either."""
    record = {"source": "feed", "external_id": "$_id", "hospital_name": "$hospital_name", "city": "$$ROOT"}
    for _ in range(2):
        job_id = await bench.put(envelope("ingest_hospital", text({"record": record, "on_existing": "merge"})))
        assert (await bench.site.result(job_id))["s"] is True
    assert bench.registry.get("feed:$_id")["hospital_name"] == "$hospital_name"
    assert bench.registry.get("feed:$_id")["city"] == "$$ROOT"


VARIANTS = [
    "Clinique Sainte-Élise Straße Ⅳ",
    unicodedata.normalize("NFD", "Clinique Sainte-Élise Straße Ⅳ"),
    unicodedata.normalize("NFKC", "CLINIQUE SAINTE-ÉLISE STRASSE Ⅳ"),
    "clinique\u00a0sainte-élise   strasse\u3000iv",
    "  \tCLINIQUE Sainte-E\u0301lise Straße \uff29\uff36\n",
]


async def test_row_30_spellings_of_a_name_are_one_identity(bench: Bench) -> None:
    before = bench.registry.count()
    assert len({HospitalRecord(hospital_name=name).hospital_id for name in VARIANTS}) == 1
    outcomes = []
    for name in VARIANTS:
        job_id = await bench.put(envelope("ingest_hospital", text({"record": {"hospital_name": name}})))
        outcomes.append((await bench.site.result(job_id))["r"])
    assert [outcome["status"] for outcome in outcomes] == ["created"] + ["unchanged"] * 4
    assert len({outcome["hospital_id"] for outcome in outcomes}) == 1
    assert bench.registry.count() == before + 1


async def test_row_30_spellings_are_one_identity_at_once_and_in_one_chunk(bench: Bench) -> None:
    before = bench.registry.count()
    names = ["North " + name.strip() for name in VARIANTS]
    payloads = [
        envelope("register_hospital", text({"record": {"hospital_name": name}, **AUDIT_FIELDS})) for name in names
    ] + [envelope("ingest_hospitals", text({"records": [{"hospital_name": name} for name in names]}))]
    ids = [await bench.put(payload) for payload in payloads]
    *registered, chunk = [(await bench.site.result(job_id))["r"] for job_id in ids]
    assert sorted(outcome["status"] for outcome in registered) == ["conflict"] * 4 + ["registered"]
    assert chunk["statuses"].count("created") <= 1
    assert bench.registry.count() == before + 1


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._marker,)


async def test_row_31_pickles_are_refused_by_the_producer(bench: Bench, tmp_path: Path) -> None:
    hostile = Hostile(tmp_path / "ran")
    for value in (hostile, pickle.dumps(hostile), {hostile}):
        assert await bench.refused_record_paths({"hospital_name": value}) == ["hospital_name"]
        assert await bench.refused_record_paths(NAME | {"attributes": {"a": value}}) == ["attributes.a"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
async def test_row_31_pickles_are_never_executed_by_the_worker(bench: Bench, tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "ran"
    job: dict[str, Any] = {
        "t": None,
        "f": "ingest_hospital",
        "a": ({"record": NAME}, Hostile(marker)),
        "k": {},
        "et": 1,
    }
    hostile = pickle.dumps(job, protocol)
    for payload in (hostile, b"hmac-sha256:k:00:" + hostile):
        assert (await bench.dead_letter_of(payload)).failure.type == "InvalidEnvelope"
    inside = orjson.dumps({"record": {"hospital_name": {"__reduce__": hostile.hex()}}}).decode()
    assert (await bench.dead_letter_of(envelope("ingest_hospital", inside))).failure.type == "InvalidPayload"
    assert not marker.exists()
    pickle.loads(hostile)  # noqa: S301 - shows that the bytes would have run
    assert marker.exists()


async def test_row_31_pickles_are_never_executed_by_the_reader_of_an_outcome(bench: Bench, tmp_path: Path) -> None:
    hostile = pickle.dumps({"s": True, "r": Hostile(tmp_path / "ran")})
    async with bench.site.producer() as producer:
        for key in (keys.RESULT, keys.JOB):
            await bench.site.redis.set(f"{key}pickled", hostile)
            with pytest.raises(RegistryError):
                await producer.receipt(INGEST_HOSPITAL, "pickled").outcome(timeout=0.1)
            with pytest.raises(RegistryError):
                await producer.status("pickled")
    assert not (tmp_path / "ran").exists()
