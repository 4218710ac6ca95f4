"""A service that enqueues jobs with both clients; it runs where nothing but the client is installed."""

import asyncio

from producers import HospitalProducer, SyncHospitalProducer
from producers.testing import RecordingProducer
from worker.contract import HospitalRecord


async def register() -> str:
    async with HospitalProducer.connect() as producer:
        receipt = await producer.register_hospital(
            HospitalRecord(hospital_name="Grace"), actor="dr-ito", reason="licence 4711"
        )
        return (await producer.status(receipt.job_id)).state


if __name__ == "__main__":
    with SyncHospitalProducer.connect() as producer:
        receipt = producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"), idempotency_key="light")
        print(receipt.outcome(timeout=30).status, flush=True)  # noqa: T201 (what the test reads)
        print(producer.explain(receipt.job_id).state)  # noqa: T201
        print(asyncio.run(register()))  # noqa: T201
    # Neither does the producer that records need more.
    with SyncHospitalProducer(RecordingProducer()) as recording:
        receipt = recording.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
        print(receipt.state, recording.explain(receipt.job_id).state)  # noqa: T201
