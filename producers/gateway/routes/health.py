"""Whether the gateway lives, whether it can take jobs, and what it has counted."""

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from producers.gateway.access import Reader
from producers.gateway.answers import answer
from producers.gateway.services import Services, SharedServices
from producers.gateway.shapes import HealthShown
from worker.errors import RegistryError
from worker.mongo.errors import translated

router = APIRouter(tags=["health"])
# A probe does not wait for long.
_ANSWER_S = 2.0

Answers = Literal["ok", "unavailable"]


@router.get("/health/live")
async def live() -> Response:
    """Answer, which is all that it takes to live. No outage makes it fail."""
    return answer({"status": "ok"})


@router.get("/health/ready", response_model=HealthShown, responses={503: {"model": HealthShown}})
async def ready(services: SharedServices) -> Response:
    """Show which servers answer. 503: Redis does not, so no job is taken. Jobs are taken without MongoDB."""
    redis, mongodb = await _redis(services), await _mongodb(services)
    return answer({"redis": redis, "mongodb": mongodb}, 200 if redis == "ok" else 503)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: SharedServices, _key: Reader) -> Response:
    """Show what Prometheus reads."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _redis(services: Services) -> Answers:
    try:
        await services.read(services.redis.ping(), _ANSWER_S)
    except RegistryError as error:
        services.outages.note(error)
        return "unavailable"
    return "ok"


async def _mongodb(services: Services) -> Answers:
    async def ping() -> None:
        with translated():
            await services.mongo.database.command("ping")

    try:
        await services.read_mongo(ping(), _ANSWER_S)
    except RegistryError as error:
        services.outages.note(error)
        return "unavailable"
    return "ok"
