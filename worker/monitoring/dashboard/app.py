"""The application of the page: its routes, and what is shown when one fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from worker.errors import RegistryError
from worker.monitoring.dashboard.headers import WithHeaders
from worker.monitoring.dashboard.pages import PAGES
from worker.monitoring.dashboard.problems import LoginNeeded, Problem, show_problem, to_login
from worker.monitoring.dashboard.rendering import STATIC
from worker.monitoring.dashboard.services import Services


def create_app(services: Services) -> ASGIApp:
    """Return the application. While it runs, it looks at the queues every two seconds.

    When it ends, it stops the operations on dead letters that it runs.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(services.watcher.run(), name="dashboard-watcher")
        try:
            yield
        finally:
            await services.dead_runner.close()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    for page in PAGES:
        app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(LoginNeeded, to_login)
    for kind in (Problem, RegistryError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, show_problem)
    return WithHeaders(app)
