"""A service that enqueues jobs with both clients; it runs where nothing but the client is installed."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from producers import HospitalProducer, SyncHospitalProducer
from producers.testing import RecordingProducer
from worker.contract import HospitalRecord


async def register() -> str:
    async with HospitalProducer.connect() as producer:
        receipt = await producer.register_hospital(
            HospitalRecord(hospital_name="Grace"), actor="dr-ito", reason="licence 4711"
        )
        return (await producer.status(receipt.job_id)).state


def records(threads: int = 16) -> list[str]:
    """Make the first records of the process in so many threads at once, as the first requests of a server do."""
    at_once = threading.Barrier(threads)

    def record(number: int) -> str:
        at_once.wait(20)
        return HospitalRecord(hospital_name="Mercy", source="hr", external_id=f"A{number}").hospital_id

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(record, range(threads)))


if __name__ == "__main__":
    assert records() == [f"hr:A{number}" for number in range(16)]
    with SyncHospitalProducer.connect() as producer:
        receipt = producer.ingest_hospital(HospitalRecord(hospital_name="Mercy"), idempotency_key="light")
        print(receipt.outcome(timeout=30).status, flush=True)  # noqa: T201 (what the test reads)
        print(producer.explain(receipt.job_id).state)  # noqa: T201
        print(asyncio.run(register()))  # noqa: T201
    # Neither does the producer that records need more.
    with SyncHospitalProducer(RecordingProducer()) as recording:
        receipt = recording.ingest_hospital(HospitalRecord(hospital_name="Mercy"))
        print(receipt.state, recording.explain(receipt.job_id).state)  # noqa: T201
