"""The gateway as docker-compose.yml and deploy/kubernetes run it: what their probes ask."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import Gateway, serving
from worker.embedded.ports import choose_port

ROOT = Path(__file__).resolve().parents[3]
PORT = ":8800/"


def health_check() -> str:
    """Return the Python program that Docker runs in the container."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    kind, program, option, code = compose["services"]["gateway"]["healthcheck"]["test"]
    assert (kind, program, option, code.count(PORT)) == ("CMD", "python", "-c", 1)
    return str(code)


def probes() -> dict[str, dict[str, Any]]:
    deployment, *_ = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "gateway.yaml").read_text("utf-8"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}


async def answers(gateway: Gateway) -> dict[str, int]:
    """Return what each probe is answered, and with which code the health check of Docker ends."""
    client = await gateway.client()
    found = {}
    for name, probe in probes().items():
        assert probe["port"] == "http"
        found[name] = (await client.get(probe["path"])).status_code
    return {**found, "docker": await ended(health_check().replace(PORT, f":{httpx.URL(gateway.url).port}/"))}


async def ended(code: str) -> int:
    process = await asyncio.create_subprocess_exec(*(sys.executable, "-c", code), stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


async def test_a_gateway_that_takes_jobs_is_ready(site: Site, gateway: Gateway) -> None:
    assert await answers(gateway) == {"startup": 200, "liveness": 200, "readiness": 200, "docker": 0}


async def test_without_redis_it_is_not_ready_and_no_outage_restarts_it() -> None:
    redis, mongo = (f"127.0.0.1:{choose_port()}" for _ in range(2))
    url = f"mongodb://{mongo}/?replicaSet=rs0"
    async with serving(redis_url=f"redis://{redis}/0", mongodb_url=url, mongodb_selection_timeout=1) as gateway:
        assert await answers(gateway) == {"startup": 200, "liveness": 200, "readiness": 503, "docker": 1}


async def test_without_the_gateway_the_health_check_fails() -> None:
    assert await ended(health_check().replace(PORT, f":{choose_port()}/")) == 1
