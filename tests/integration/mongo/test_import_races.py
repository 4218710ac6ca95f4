"""Chunks of one import that run at the same time, fail half way, or are sent again."""

import asyncio
import itertools
import json
import sys
from collections import Counter
from typing import Any

import pytest

from tests.integration.mongo.conftest import FailCommand, RunJob
from tests.integration.mongo.import_chunks import CHANGED, MODES, Make, all_hospitals, chunk, store, without_token
from worker.contract import ChunkOutcome
from worker.embedded import EmbeddedMongo
from worker.errors import OutageError, TransientError
from worker.mongo import chunk_writes, chunks
from worker.mongo.client import MongoHandle

# A process that ingests one chunk into the database, and prints the statuses.
PROCESS = """
import asyncio, json, sys

from worker.contract.known import parse_known
from worker.mongo.chunks import ingest_many
from worker.mongo.client import open_mongo
from worker.settings import load_settings

async def main(url, database, job, city, mode):
    mongo = open_mongo(load_settings(mongodb_url=url, mongodb_database=database))
    raw = [{"hospital_name": "M", "source": "cms", "external_id": f"h{n}", "city": city} for n in range(300)]
    records = [parse_known(record) for record in raw]
    lines = [n + 1_000 * int(job) for n in range(300)]
    print("ready", flush=True)
    sys.stdin.readline()
    outcome = await ingest_many(mongo, records, mode, f"job-{job}", import_id="i", lines=lines)
    print(json.dumps(outcome.statuses), flush=True)
    await mongo.close()

asyncio.run(main(*sys.argv[1:]))
"""


@MODES
@pytest.mark.parametrize("stored", [False, True])
async def test_of_many_chunks_at_once_one_gets_each_identity(
    mongo: MongoHandle, run_job: RunJob, record: Make, mode: str, stored: bool
) -> None:
    numbers = range(40)
    if stored:
        before = [record(external_id=f"h{n}", phone="1") for n in numbers]
        await run_job("ingest_hospitals", {"records": before}, "before")
    cities = "ABCDEF"
    payloads = [
        chunk(
            *(record(external_id=f"h{n}", city=city) for n in numbers),
            lines=[100 * position + n + 1 for n in numbers],
            mode=mode,
        )
        for position, city in enumerate(cities)
    ]

    async def send() -> list[ChunkOutcome]:
        jobs = [run_job("ingest_hospitals", payload, f"job-{n}") for n, payload in enumerate(payloads)]
        return await asyncio.gather(*jobs)

    outcomes = await send()
    hospitals = await all_hospitals(mongo)
    applied = CHANGED[mode] if stored else "created"
    statuses = Counter(status for outcome in outcomes for status in outcome.statuses)
    assert statuses == {applied: 40, "collision": 200}
    for n in numbers:
        (winner,) = [city for city, it in zip(cities, outcomes, strict=True) if it.statuses[n] == applied]
        if applied != "kept":
            assert hospitals[f"cms:h{n}"]["city"] == winner
        others = {each.other_line for it in outcomes for each in it.not_applied if each.index == n} - {None}
        assert others == {100 * cities.index(winner) + n + 1}
    assert [without_token(outcome) for outcome in await send()] == [without_token(outcome) for outcome in outcomes]
    assert await all_hospitals(mongo) == hospitals


@pytest.mark.parametrize("stored", [False, True])
async def test_of_several_processes_one_gets_each_identity(
    mongo: MongoHandle, run_job: RunJob, record: Make, replica_set: EmbeddedMongo, stored: bool
) -> None:
    if stored:
        before = [record(hospital_name="M", external_id=f"h{n}") for n in range(300)]
        await run_job("ingest_hospitals", {"records": before}, "before")
    cities = ["A", "B", "C"]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, replica_set.url, mongo.database.name, str(job), city, "merge",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for job, city in enumerate(cities, 1)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    statuses = [json.loads(answer) for answer, _ in answers]
    hospitals = await all_hospitals(mongo)

    applied = "merged" if stored else "created"
    assert Counter(itertools.chain(*statuses)) == {applied: 300, "collision": 600}
    for n in range(300):
        (winner,) = [city for city, its in zip(cities, statuses, strict=True) if its[n] == applied]
        assert hospitals[f"cms:h{n}"]["city"] == winner


@pytest.mark.parametrize("mode", ["merge", "replace"])
async def test_a_claim_holds_although_its_chunk_failed_before_it_wrote(
    mongo: MongoHandle, run_job: RunJob, record: Make, fail_command: FailCommand, mode: str
) -> None:
    await store(run_job, record(city="A"))
    first = chunk(record(city="B"), lines=[2], mode=mode)
    async with fail_command(["update"], mode={"times": 1}, errorCode=50):
        with pytest.raises(TransientError):
            await run_job("ingest_hospitals", first, "1")
    second = await run_job("ingest_hospitals", chunk(record(city="C"), lines=[3], mode=mode), "2")

    assert second.statuses == ["collision"]
    assert (await run_job("ingest_hospitals", first, "1")).statuses == [CHANGED[mode]]
    assert (await all_hospitals(mongo))["cms:1"]["city"] == "B"


@pytest.mark.parametrize(("command", "skip"), [("insert", 0), ("insert", 1), ("find", 0), ("find", 1)])
async def test_a_chunk_that_is_not_confirmed_is_decided_when_it_runs_again(
    mongo: MongoHandle, run_job: RunJob, record: Make, fail_command: FailCommand, command: str, skip: int
) -> None:
    """The first insert is that of the hospitals, the second that of the claims."""
    await store(run_job, record(city="A"))
    payload = chunk(record(city="A"), record(external_id="2"), lines=[2, 3])
    failure: dict[str, Any] = {"errorCode": 50}
    if command == "insert":
        failure = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}
    async with fail_command([command], mode={"skip": skip} if skip else {"times": 1}, **failure):
        with pytest.raises(OutageError if command == "insert" else TransientError):
            await run_job("ingest_hospitals", payload, "1")
    outcome = await run_job("ingest_hospitals", payload, "1")
    assert outcome.statuses == ["same", "created"]
    second = chunk(record(city="B"), record(external_id="2", city="B"), lines=[4, 5])
    assert (await run_job("ingest_hospitals", second, "2")).statuses == ["collision", "collision"]


async def test_rows_that_are_sent_again_in_another_job_are_known_by_their_lines(
    mongo: MongoHandle, run_job: RunJob, record: Make
) -> None:
    payload = chunk(record(city="A"), record(external_id="2"), lines=[2, 3])
    first = await run_job("ingest_hospitals", payload, "1")
    before = await all_hospitals(mongo)
    again = await run_job("ingest_hospitals", payload, "2")
    assert again.statuses == first.statuses == ["created", "created"]
    assert await all_hospitals(mongo) == before


async def test_a_place_that_changes_between_comparison_and_merge_is_compared_again(
    mongo: MongoHandle, run_job: RunJob, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another job gives the identifier to another hospital after this chunk has found it to be the same one."""
    await store(run_job, record(hospital_name="A", city="X"))
    change = chunk_writes.change

    async def raced(*args: Any, **options: Any) -> dict[int, str]:
        await mongo.hospitals.update_one({"_id": "cms:1"}, {"$set": {"hospital_name": "B", "city": "Y"}})
        return await change(*args, **options)

    monkeypatch.setattr(chunks, "change", raced)
    payload = {"records": [record(hospital_name="A", city="X", beds=5)], "on_existing": "merge"}
    outcome = await run_job("ingest_hospitals", payload)
    assert outcome.statuses == ["conflict"]
    assert "beds" not in (await all_hospitals(mongo))["cms:1"]
