"""When a job runs, and under which key: what a request says besides its body."""

import time
from typing import Annotated

from fastapi import Header, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from producers.gateway.problems import invalid_field
from producers.gateway.queries import check_names
from producers.options import EnqueueOptions
from worker.contract.validation import parse

IDEMPOTENCY_KEY = "Idempotency-Key"
_LONGEST_DAYS = 366
_LONGEST_S = _LONGEST_DAYS * 86_400

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=IDEMPOTENCY_KEY,
        description="requests with the same key make one job; 1 to 200 printable ASCII characters without spaces",
    ),
]


class When(BaseModel):
    """The query of a request that enqueues a job. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delay: Annotated[
        float | None,
        Field(ge=0, le=_LONGEST_S, allow_inf_nan=False, description="seconds before which the job does not run"),
    ] = None
    run_at: Annotated[
        AwareDatetime | None,
        Field(
            description="the same as an instant with a time zone, at most 366 days ahead; if it has passed, now",
            examples=["2026-01-31T06:00:00+01:00"],
        ),
    ] = None

    @field_validator("run_at")
    @classmethod
    def _not_too_late(cls, run_at: AwareDatetime | None) -> AwareDatetime | None:
        # Most likely a slip, of which nobody would hear.
        if run_at is not None and run_at.timestamp() - time.time() > _LONGEST_S:
            raise ValueError(f"must be at most {_LONGEST_DAYS} days ahead")
        return run_at

    def options(self, key: str | None) -> EnqueueOptions:
        """Return them as the producer takes them, with an idempotency key."""
        options: EnqueueOptions = {"idempotency_key": key, "run_at": self.run_at}
        if self.delay is not None:
            options["delay"] = self.delay
        return options


_NOW = When()


def read_when(request: Request) -> When:
    """Return when the job of a request runs. Raises `InvalidPayload`, or `Problem` for names in the query."""
    if not request.scope["query_string"]:
        return _NOW
    given = request.query_params.multi_items()
    check_names([name for name, _ in given], When.model_fields.keys())
    return parse(When, dict(given))


def read_key(request: Request) -> str | None:
    """Return the idempotency key of a request. Raises `Problem` if it has more than one."""
    found = request.headers.getlist(IDEMPOTENCY_KEY)
    if len(found) > 1:
        raise invalid_field(IDEMPOTENCY_KEY, "given twice")
    return found[0] if found else None
