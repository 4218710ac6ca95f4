"""The application: `uvicorn --factory producers.gateway.app:create_app`, or `hospital-producer gateway`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from producers.gateway.guard import Guard
from producers.gateway.keys import Keys
from producers.gateway.observed import Observed
from producers.gateway.openapi import ABOUT, PROBLEMS
from producers.gateway.problems import as_problem
from producers.gateway.routes import ROUTERS
from producers.gateway.services import Services, open_services
from worker.errors import RegistryError
from worker.settings import Settings, load_settings
from worker.version import installed_version


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; by default its settings come from the environment.

    One producer and one MongoDB client, which all requests share, are opened when it starts and closed when it
    ends. It starts while Redis or MongoDB is unavailable. Raises `ConfigurationError` if the settings have no key.
    """
    settings = settings or load_settings()
    keys = Keys(settings.gateway_keys.get_secret_value())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="Hospital registry",
        description=ABOUT,
        version=installed_version(),
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        # Their pages load scripts from another host.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=PROBLEMS,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Guard, settings=settings, keys=keys)
    app.add_middleware(Observed)
    for kind in (HTTPException, RegistryError, RequestValidationError, Exception):
        app.add_exception_handler(kind, _show)
    return app


async def _show(request: Request, error: Exception) -> Response:
    problem = as_problem(error)
    if problem.code == "unavailable" and isinstance(error, RegistryError):
        services: Services = request.app.state.services
        services.outages.note(error)
    return problem.response()
