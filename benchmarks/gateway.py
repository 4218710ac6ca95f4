"""The gateway beside a bare FastAPI application that parses the same body: `python -m benchmarks.gateway`.

500 clients, each on a connection of its own, register hospitals one after the other. Both servers are one process;
they take turns, so that a busy machine slows both. Exit code 1: the gateway has less than half of the bare rate.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import uvloop

from producers.gateway.keys import entry_of, make_key
from worker.embedded import EmbeddedRedis
from worker.embedded.ports import choose_port

_HOST = "127.0.0.1"
_LEAST_RATIO = 0.5
_STARTS_WITHIN_S = 30.0
_BODY = {
    "record": {
        "hospital_name": "Sunrise Clinic",
        "source": "hr",
        "external_id": "42",
        "address": "1 Quay Street",
        "city": "Split",
        "country": "Croatia",
        "beds": 120,
        "location": {"type": "Point", "coordinates": [16.44, 43.51]},
        "attributes": {"rating": 4, "trauma_centre": True},
    },
    "reason": "licence 4711 seen",
}


def _request(key: str) -> bytes:
    body = orjson.dumps(_BODY)
    head = (
        f"POST /v1/jobs/register_hospital HTTP/1.1\r\nHost: {_HOST}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _ask(port: int, request: bytes, until: float) -> int:
    """Send the request again and again until an instant; return how often it was accepted."""
    reader, writer = await asyncio.open_connection(_HOST, port)
    accepted = 0
    try:
        while time.monotonic() < until:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 202 "):
                raise RuntimeError(f"refused: {head.partition(b'server')[0].decode()}")
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            accepted += 1
    finally:
        writer.close()
    return accepted


async def _rate(port: int, request: bytes, clients: int, seconds: float) -> float:
    began = time.monotonic()
    accepted = await asyncio.gather(*(_ask(port, request, began + seconds) for _ in range(clients)))
    return sum(accepted) / (time.monotonic() - began)


@asynccontextmanager
async def _server(words: list[str], environment: dict[str, str]) -> AsyncIterator[int]:
    """Yield the port of a server that was started as a process of its own."""
    port = choose_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words, "--port", str(port)), env={**os.environ, **environment}
    )
    try:
        async with asyncio.timeout(_STARTS_WITHIN_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(_HOST, port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _compare(clients: int, rounds: int, seconds: float) -> float:
    key = make_key()
    request = _request(key)
    bare_words = ["uvicorn", "benchmarks.bare_app:app", "--no-access-log", "--log-level", "warning"]
    async with EmbeddedRedis() as redis:
        environment = {
            "REDIS_URL": redis.url,
            "GATEWAY_KEYS": entry_of("benchmark", ["enqueue"], key),
            "GATEWAY_RATE": "1000000",
        }
        async with _server(bare_words, {}) as bare, _server(["producers", "gateway"], environment) as gateway:
            ratios = []
            for number in range(1, rounds + 1):
                of_bare = await _rate(bare, request, clients, seconds)
                of_gateway = await _rate(gateway, request, clients, seconds)
                ratios.append(of_gateway / of_bare)
                print(  # noqa: T201 (a command-line tool)
                    f"round {number}: bare {of_bare:,.0f}/s, gateway {of_gateway:,.0f}/s, ratio {ratios[-1]:.2f}"
                )
    return statistics.median(ratios)


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of one server in one round")
    options = parser.parse_args()
    ratio = uvloop.run(_compare(options.clients, options.rounds, options.seconds))
    print(f"median ratio {ratio:.2f}, at least {_LEAST_RATIO}")  # noqa: T201 (as above)
    return 0 if ratio >= _LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(_main())
