import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from arq.connections import ArqRedis

from producers.client import HospitalProducer
from producers.receipts import Receipt
from worker.contract import BULK_QUEUE, DEFAULT_QUEUE, HospitalChanges, HospitalRecord
from worker.contract.fields import GeoPoint
from worker.contract.validation import MAX_PROBLEMS
from worker.errors import InvalidPayload

MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
BY = {"actor": "dr-ito", "reason": "licence 4711"}
Put = Callable[[HospitalProducer], Awaitable[Receipt[Any]]]


@pytest.mark.parametrize(
    ("put", "path"),
    [
        (lambda producer: producer.register_hospital(MERCY, actor=" ", reason="r"), "actor"),
        (lambda producer: producer.discard_hospital("", revision=1), "hospital_id"),
        (lambda producer: producer.ingest_hospitals([]), "records"),
        (lambda producer: producer.ingest_hospitals([MERCY] * 1_001), "records"),
        (lambda producer: producer.ingest_hospital(MERCY, on_existing="overwrite"), "on_existing"),
        (
            lambda producer: producer.amend_hospital("name:mercy", HospitalChanges(hospital_name="Grace"), **BY),
            "changes.hospital_name",
        ),
    ],
)
async def test_a_payload_that_breaks_the_contract_is_refused_with_the_field(
    producer: HospitalProducer, redis: ArqRedis, put: Put, path: str
) -> None:
    with pytest.raises(InvalidPayload, match=path):
        await put(producer)
    assert await redis.zcard(DEFAULT_QUEUE) == await redis.zcard(BULK_QUEUE) == 0


async def test_every_invalid_record_of_a_chunk_is_reported(producer: HospitalProducer, redis: ArqRedis) -> None:
    records: list[HospitalRecord | dict[str, Any]] = [
        MERCY,
        {"hospital_name": "Nan", "attributes": {"rate": math.nan}},
        {"hospital_name": "Inf", "location": {"type": "Point", "coordinates": [math.inf, 0.0]}},
        {"beds": 1},
    ]

    with pytest.raises(InvalidPayload) as caught:
        await producer.ingest_hospitals(records)

    assert [problem.path for problem in caught.value.problems] == [
        "records[1].attributes.rate",
        "records[2].location.coordinates[0]",
        "records[3].hospital_name",
    ]
    assert await redis.zcard(BULK_QUEUE) == 0


async def test_the_number_of_problems_of_a_chunk_is_limited(producer: HospitalProducer) -> None:
    with pytest.raises(InvalidPayload) as caught:
        await producer.ingest_hospitals([{}] * 1_000)

    assert len(caught.value.problems) == MAX_PROBLEMS + 1
    assert str(caught.value.problems[-1]) == "records: 900 more problems"


async def test_a_payload_that_is_too_large_is_refused(producer: HospitalProducer, redis: ArqRedis) -> None:
    attributes: dict[str, bool | int | float | str] = {f"field{number}": "é" * 1_000 for number in range(50)}
    place = GeoPoint(coordinates=(1.0, 2.0))
    record = HospitalRecord(hospital_name="Mercy", attributes=attributes, location=place)

    with pytest.raises(InvalidPayload, match=r"payload: [0-9,]+ bytes; at most 16,777,216 are accepted"):
        await producer.ingest_hospitals([record] * 200)
    assert await redis.zcard(BULK_QUEUE) == 0
