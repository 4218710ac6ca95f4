"""Runs the examples of docs/protocol.md exactly as they are printed there."""

import hmac
import re
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from fakeredis import FakeAsyncRedis

from tests.support.lua import needs_lua
from worker import errors
from worker.codec import Codec, check_job_id
from worker.contract import DEFAULT_QUEUE, JOBS, QUEUES
from worker.contract.validation import parse
from worker.queue import batches, keys
from worker.queue.digests import call_digest
from worker.queue.keys import DEAD

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
CODEC = Codec({"k1": "0123456789abcdef-example"})


def blocks(language: str, text: str = DOCUMENT) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shell_body() -> str:
    match = re.search(r"^BODY='(.*)'$", DOCUMENT, re.MULTILINE)
    assert match
    return match[1]


def shell_id() -> str:
    match = re.search(r'^ID="(.*)"$', DOCUMENT, re.MULTILINE)
    assert match
    return match[1]


def first_cells(heading: str) -> list[str]:
    """Return what the tables below a heading have in code in their first columns."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*?) *\|", section, re.MULTILINE)
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


def signed_message() -> dict[str, Any]:
    """Return the message that a signed envelope of the example must contain."""
    return {**Codec().decode(shell_body().encode()), "id": shell_id()}


def test_the_signature_made_with_openssl_is_verified() -> None:
    script = f"ID='{shell_id()}'\nBODY='{shell_body()}'\n{blocks('sh')[1]}printf %s \"$ENVELOPE\""
    shell = subprocess.run(["/bin/sh", "-ec", script], capture_output=True, check=True, timeout=20)
    assert CODEC.decode(shell.stdout) == signed_message()
    assert shell.stdout == CODEC.encode(signed_message())


def test_the_signature_is_the_one_that_the_page_describes() -> None:
    signed = next(block for block in blocks("text") if block.startswith("hmac-sha256:")).strip()
    scheme, key_id, digest, body = signed.split(":", 3)
    assert (scheme, key_id) == ("hmac-sha256", "k1")
    secret = re.search(r"^SECRET=(.*)$", DOCUMENT, re.MULTILINE)
    assert secret
    assert digest == hmac.new(secret[1].encode(), body.encode(), "sha256").hexdigest()
    with pytest.raises(errors.UntrustedEnvelope):
        CODEC.decode(signed.replace("Sunrise", "Moonlight").encode())


def test_the_signed_example_is_verified() -> None:
    signed = next(block for block in blocks("text") if block.startswith("hmac-sha256:"))
    message = CODEC.decode(signed.strip().encode())
    assert message == signed_message()
    check_job_id(message, shell_id())
    assert parse(JOBS[message["f"]].payload, message["a"][0])


def test_the_digest_made_with_openssl_is_that_of_the_python_client() -> None:
    (script,) = (block for block in blocks("sh") if block.startswith("CALL="))
    shell = subprocess.run(["/bin/sh", "-ec", script], capture_output=True, check=True, timeout=20, text=True)
    payload = parse(JOBS["withdraw_hospital"].payload, orjson.loads(script.split("'")[1])[1])
    assert shell.stdout.strip() == call_digest("withdraw_hospital", payload)
    assert f"This prints `{shell.stdout.strip()}`." in DOCUMENT


@needs_lua
async def test_arq_reads_the_job_that_the_script_enqueues() -> None:
    redis = FakeAsyncRedis()
    job_id, (script,) = "ingest_hospital:1", blocks("lua")
    keys = (f"arq:job:{job_id}", f"arq:result:{job_id}", DEFAULT_QUEUE, DEAD)

    registered = redis.register_script(script)

    async def enqueue(body: str) -> object:
        answer: object = await registered(keys=keys, args=(job_id, body, "0"))
        return answer

    assert await enqueue(shell_body()) == b"new"
    assert await enqueue("other") == b"exists"
    assert await redis.ttl(keys[0]) == -1
    job = Job(job_id, ArqRedis(redis.connection_pool), DEFAULT_QUEUE, Codec().decode)
    info = await job.info()
    assert info is not None
    assert (info.function, len(info.args), info.kwargs) == ("ingest_hospital", 1, {})
    assert await job.status() is JobStatus.queued
    await redis.delete(keys[0], keys[2])
    await redis.set(keys[1], "result")
    assert await enqueue(shell_body()) == b"done"
    await redis.hset(DEAD, job_id, "dead letter")
    assert await enqueue(shell_body()) == b"dead"
    assert not await redis.exists(keys[0], keys[2])
    await redis.aclose()


@pytest.mark.parametrize("name", JOBS)
def test_the_examples_of_each_job_are_valid(name: str) -> None:
    section = DOCUMENT.split(f"### `{name}`\n")[1].split("\n#")[0]
    payload, outcome = (orjson.loads(block) for block in blocks("json", section))
    assert parse(JOBS[name].payload, payload)
    parsed = JOBS[name].outcome.model_validate(outcome, extra="forbid")
    assert parsed.model_dump(mode="json") == outcome


def test_the_tables_of_keys_and_fields_are_those_of_the_code() -> None:
    names = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    listed = {name.removesuffix("<job id>") for name in first_cells("Keys")}
    assert listed <= names | set(QUEUES)
    assert {keys.JOB, keys.RESULT, keys.DEAD, keys.DIGEST, *QUEUES} <= listed

    message = Codec().decode(shell_body().encode())
    assert {"v", *message} | {"id", "b", "d", "traceparent", "tracestate"} == set(first_cells("The envelope"))
    result = {"s": True, "r": {}, "st": 1, "ft": 2, "q": DEFAULT_QUEUE, "id": shell_id()}
    assert set(first_cells("Results")) == set(result)
    for missing in set(result) - {"r", "id", "s"}:
        with pytest.raises(errors.InvalidEnvelope):
            Codec().decode(
                Codec().encode({**message, "s": True, **{k: v for k, v in result.items() if k != missing}})
            )


def test_the_fields_of_a_batch_are_those_of_the_code() -> None:
    (command,) = re.findall(r"^HMGET (\S+) (.*)$", DOCUMENT, re.MULTILINE)
    assert command[0] == f"{keys.BATCH}ID"
    asked = command[1].split()
    assert asked == first_cells("Batches")
    assert set(asked) == set(batches._FIELDS) - {"created", "to_drop", "completion"}
    for key in (keys.BATCH_JOBS, keys.BATCH_ORDER):
        assert f" {key}ID " in DOCUMENT


def test_the_errors_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`([A-Z]\w+(?:Payload|Envelope|Twice))`", DOCUMENT))
    assert {"InvalidEnvelope", "UntrustedEnvelope", "InvalidPayload", "KeyUsedTwice"} <= named
    assert [name for name in named if not hasattr(errors, name)] == []
