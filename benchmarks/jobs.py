"""The jobs that every system runs: a no-op, and the ingest of one record."""

from typing import Any

from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.jobs.ingest_hospital import ingest_hospital
from worker.mongo.client import open_mongo
from worker.mongo.registrations import Registrations
from worker.settings import load_settings

Payload = dict[str, Any]

STARTS = "bench:starts:"
"""Prefix of one list per job: the start of each of its runs, in nanoseconds of the machine's monotonic clock."""


def hospital(number: int, batch: int) -> Payload:
    """Return a typical record. Different arguments give different hospitals."""
    return {
        "hospital_name": f"County General Hospital {number}",
        "hospital_type": "multi",
        "source": "bench",
        "external_id": f"{batch}-{number}",
        "address": f"{number} Main Street",
        "city": "Springfield",
        "state": "IL",
        "postal_code": "62701",
        "country": "US",
        "phone": "+1 217 555 0100",
        "emergency_services": True,
        "beds": number % 900 + 10,
    }


class IngestBody:
    """The product's own job, for the other systems. The client is opened at the first call."""

    def __init__(self) -> None:
        self._context: WorkerContext | None = None

    async def __call__(self, payload: Payload) -> Payload:
        """Ingest one record. Takes and returns plain JSON values, which every system can transport."""
        if self._context is None:
            settings = load_settings()
            mongo = open_mongo(settings)
            self._context = WorkerContext(settings, mongo, Registrations(mongo))
        ctx = {CONTEXT_KEY: self._context, "job_id": payload["record"]["external_id"]}
        return (await ingest_hospital(ctx, payload)).model_dump(mode="json")
