"""The routes of the gateway, a module for each kind of thing."""

from producers.gateway.routes import enqueueing, health, hospitals, imports, jobs

ROUTERS = (enqueueing.router, jobs.router, imports.router, hospitals.router, health.router)
