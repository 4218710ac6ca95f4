"""Who may do what: a route names the scope that a key must have."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from producers.gateway.keys import ApiKey, Scope
from producers.gateway.problems import Problem

KEY = "api_key"
"""Where `producers.gateway.guard` leaves the key of a request, in its state."""


class Needs(SecurityBase):
    """Returns the key of a request. Raises `Problem` if it does not have the scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope: Scope = scope
        self.model = HTTPBearer(description="`hospital-producer gateway make-key` makes a key.")
        self.scheme_name = "ApiKey"

    async def __call__(self, request: Request) -> ApiKey:
        """Check one request, as FastAPI calls it."""
        return self.key_of(request)

    def key_of(self, request: Request) -> ApiKey:
        """Return the key of a request. Raises `Problem`."""
        key = cast(ApiKey, request.scope["state"][KEY])
        if self._scope not in key.scopes:
            raise Problem(
                403,
                "missing-scope",
                f"This key has not the scope {self._scope}: ask for one that has it (GATEWAY_KEYS).",
            )
        return key


ENQUEUE = Needs("enqueue")
Reader = Annotated[ApiKey, Depends(Needs("read"))]
Enqueuer = Annotated[ApiKey, Depends(ENQUEUE)]
Operator = Annotated[ApiKey, Depends(Needs("operate"))]
