"""Worker settings of a user of Sentry, which sends to standard output here.

`SENTRY_FIRST` says whether Sentry patches arq before this project's worker is imported, or after.
"""

import json
import os
from typing import Any

import sentry_sdk
from arq.worker import Retry
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.arq import ArqIntegration
from sentry_sdk.transport import Transport


class Printed(Transport):
    """Prints what would be sent, one JSON object a line."""

    def capture_envelope(self, envelope: Envelope) -> None:
        """Print the items of an envelope."""
        for item in envelope.items:
            print(json.dumps({"type": item.headers["type"], **(item.payload.json or {})}, default=str), flush=True)  # noqa: T201


def _start_sentry() -> None:
    # Without a DSN nothing is captured; this one names no server.
    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1",
        transport=Printed,
        traces_sample_rate=1.0,
        integrations=[ArqIntegration()],
        auto_session_tracking=False,
    )


if os.environ["SENTRY_FIRST"] == "yes":
    _start_sentry()

from worker.codec import Codec  # noqa: E402 (which of both comes first is what the tests vary)
from worker.engine.arq_redis import open_arq_redis  # noqa: E402
from worker.engine.worker import LeaseWorker  # noqa: E402
from worker.settings import load_settings  # noqa: E402

import arq.worker  # noqa: E402  # isort: skip

_settings = load_settings()
arq.worker.Worker = LeaseWorker  # type: ignore[misc]

if os.environ["SENTRY_FIRST"] != "yes":
    _start_sentry()


async def fine(ctx: dict[str, Any]) -> int:
    """Succeed, after a step that is traced by itself."""
    with sentry_sdk.start_span(op="step", name="a step"):
        return int(ctx["job_try"])


async def refused(ctx: dict[str, Any]) -> None:
    """Fail for good."""
    raise ValueError("no such order")


async def hooked(ctx: dict[str, Any]) -> None:
    """Succeed, after which a hook fails."""


async def after(ctx: dict[str, Any]) -> None:
    """Fail once a job of `hooked` is stored."""
    if ctx["job_id"] == "the-hooked":
        raise LookupError("no such report")


async def retried(ctx: dict[str, Any]) -> None:
    """Ask for a second try."""
    if ctx["job_try"] == 1:
        raise Retry(0.01)


async def _connect() -> Any:
    return open_arq_redis(_settings, Codec())


class WorkerSettings:
    functions = [fine, refused, hooked, retried]  # noqa: RUF012 (as arq reads it)
    after_job_end = after
    open_redis = _connect
