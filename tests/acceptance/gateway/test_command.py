"""`hospital-producer gateway`."""

import asyncio
import os
import re
import sys

import httpx
import pytest

from producers.gateway.keys import Keys
from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import KEYS, key_of
from tests.support.waiting import until
from worker.embedded.ports import choose_port


async def test_a_key_is_made_and_is_the_one_of_its_entry(site: Site) -> None:
    done = await site.run("producers", "gateway", "make-key", "billing", "--scope", "enqueue", "--scope", "read")

    made = re.fullmatch(r"key:   (\S+)\nentry: (\S+)\n", done.out)
    assert made, done.err
    found = Keys(made[2]).find(made[1])
    assert found
    assert (found.owner, set(found.scopes)) == ("billing", {"read", "enqueue"})
    assert made[2].startswith("billing:read+enqueue:sha256.")


@pytest.mark.parametrize(
    ("words", "keys", "message"),
    [
        ("gateway", "", "GATEWAY_KEYS: no key"),
        ("gateway", "clerk:read:in-plain", "GATEWAY_KEYS: entry 1"),
        ("gateway --host 0.0.0.0", "valid", "add --behind-proxy"),
        ("gateway --host registry.example", "valid", "add --behind-proxy"),
        ("gateway make-key a:b --scope read", "", "a key's NAME has"),
        ("gateway make-key billing --scope all", "", "--scope all: expected read, enqueue, operate"),
        ("gateway make-key billing", "", "--scope"),
    ],
)
async def test_it_does_not_start_open_and_says_what_to_do(site: Site, words: str, keys: str, message: str) -> None:
    done = await site.run("producers", *words.split(), GATEWAY_KEYS=KEYS if keys == "valid" else keys)

    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert "The gateway:" not in done.err


async def test_a_url_that_cannot_be_used_is_one_line(site: Site) -> None:
    done = await site.run("producers", "gateway", GATEWAY_KEYS=KEYS, MONGODB_URL="mongodb://a b:c@@/?x=1")

    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "MONGODB_URL: not a usable MongoDB URL" in done.err


async def test_it_serves_until_sigterm(site: Site) -> None:
    port = choose_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "producers", "gateway", "--port", str(port)),
        env={**os.environ, **site.environment, "GATEWAY_KEYS": KEYS},
        stderr=asyncio.subprocess.PIPE,
    )
    headers = {"Authorization": f"Bearer {key_of('boss')}"}
    try:
        address = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:

            async def answers() -> bool:
                try:
                    return (await client.get("/health/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(answers, 60)
            record = {"hospital_name": "Mercy"}
            receipt = (await client.post("/v1/jobs/ingest_hospital", json={"record": record})).json()
            async with client.stream("GET", receipt["links"]["events"]) as stream:
                await anext(stream.aiter_lines())
                await client.delete(receipt["links"]["status"])
                process.terminate()
                _, err = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()

    text = err.decode()
    assert f"The gateway: http://127.0.0.1:{port}/v1/openapi.json" in text
    assert "action=gateway_act" in text
    assert "Traceback" not in text
    assert key_of("boss") not in text
