"""A batch as a program in another language reads it, with the commands of docs/protocol.md."""

import re
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis

from producers.client import HospitalProducer
from worker.contract import INGEST_HOSPITAL, INGEST_HOSPITALS, HospitalRecord, IngestHospital, IngestHospitals
from worker.queue.batches import completion_entry
from worker.queue.completion import Completion
from worker.queue.scripts import Scripts

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
MERCY = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")


async def read(redis: ArqRedis, command: str, batch_id: str, *arguments: str) -> Any:
    """Run the command of the page for a batch, with these in place of what stands in it after the key."""
    (line,) = re.findall(rf"^{command} .*$", PAGE, re.MULTILINE)
    name, key, *given = line.split()
    assert key.endswith(":ID")
    return await redis.execute_command(name, key.removesuffix("ID") + batch_id, *(arguments or given))


async def test_the_commands_of_the_page_read_a_batch(producer: HospitalProducer, redis: ArqRedis) -> None:
    (fields,) = re.findall(r"^HMGET \S+ (.*)$", PAGE, re.MULTILINE)
    assert await read(redis, "HMGET", "never") == [None] * len(fields.split())
    batch = producer.batch("june")
    await batch.create((INGEST_HOSPITAL, IngestHospital(record=MERCY)))
    await batch.add(INGEST_HOSPITALS, [IngestHospitals(records=[MERCY])] * 2, keys=["0", "1"])
    await batch.seal()
    (first, _) = (await Scripts(redis).claim("w:1", 60_000, 2, [("arq:queue:bulk", 2)])).jobs
    entry = completion_entry("june", "complete", {"created": 990, "merged": 3})
    await Scripts(redis).finish([Completion.done(first, "w:1")._replace(batch=entry)])

    found = dict(zip(fields.split(), await read(redis, "HMGET", "june"), strict=True))
    assert {name: found[name] for name in ("total", "complete", "dead", "cancelled", "finished")} == {
        "total": b"2",
        "complete": b"1",
        "dead": b"0",
        "cancelled": None,
        "finished": None,
    }
    assert sorted(found["counts"].split()) == [b"created=990", b"merged=3"]
    assert int(found["sealed"]) > 1_700_000_000_000
    ids = [f"ingest_hospitals:~batch:june:{key}" for key in "01"]
    assert await read(redis, "LRANGE", "june") == [it.encode() for it in ids]
    states = {await read(redis, "HGET", "june", it) for it in ids}
    assert states == {b":complete", b"arq:queue:bulk"}
    assert batch.completion(INGEST_HOSPITAL).job_id == "ingest_hospital:~batch:june"
