"""The synchronous client has the methods of the asynchronous one, with their parameters and types."""

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, assert_type

import pytest

from producers import HospitalProducer, SyncHospitalProducer
from producers.batches import Batch
from producers.own_loop import OwnLoop
from producers.receipts import JobStatus, Receipt
from producers.sync import SyncBatch, SyncReceipt
from worker.contract import HospitalRecord, IngestOutcome, RegistrationOutcome
from worker.errors import ConfigurationError, OutageError
from worker.queue.batches import BatchProgress
from worker.settings import load_settings


def methods(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("asynchronous", "synchronous", "own"),
    [
        (HospitalProducer, SyncHospitalProducer, {"loop", "asynchronous"}),
        (Receipt, SyncReceipt, {"loop", "asynchronous"}),
        # `id` is an attribute there.
        (Batch, SyncBatch, {"loop", "asynchronous", "id"}),
    ],
)
def test_there_is_a_blocking_method_for_each(asynchronous: type, synchronous: type, own: set[str]) -> None:
    assert methods(synchronous) == methods(asynchronous) | own
    for name in methods(asynchronous):
        ours, theirs = getattr(synchronous, name), getattr(asynchronous, name)
        if callable(theirs):
            assert not inspect.iscoroutinefunction(ours)
            parameters = [list(inspect.signature(each).parameters) for each in (ours, theirs)]
            assert parameters[0] == parameters[1], name


def check_types(producer: SyncHospitalProducer, record: HospitalRecord) -> None:
    """Checked by mypy, never called: each method has the types of the asynchronous one."""
    receipt = producer.ingest_hospital(record, on_existing="merge", idempotency_key="k", delay=1)
    assert_type(receipt, SyncReceipt[IngestOutcome])
    assert_type(receipt.outcome(timeout=1), IngestOutcome)
    registered = producer.register_hospital(record, actor="a", reason="r")
    assert_type(registered.outcome(1), RegistrationOutcome)
    assert_type(producer.status(receipt.job_id), JobStatus)
    assert_type(producer.batch().wait(timeout=1), BatchProgress)
    producer.register_hospital(record, actor="a")  # type: ignore[call-arg]
    producer.ingest_hospital(record, on_existing="drop")  # type: ignore[arg-type]
    producer.ingest_hospital(record, idempotencykey="k")  # type: ignore[call-arg]
    producer.ingest_hospital(record, delay="1")  # type: ignore[arg-type]


def test_creating_one_starts_no_thread() -> None:
    before = threading.active_count()
    SyncHospitalProducer.connect(load_settings()).close()
    assert threading.active_count() == before


async def _nothing() -> None:
    pass


def test_a_call_in_its_own_thread_is_refused_instead_of_waiting_for_itself() -> None:
    loop = OwnLoop(_nothing)

    async def call_again() -> None:
        loop.run(_nothing)

    with pytest.raises(ConfigurationError, match="called in its own thread"):
        loop.run(call_again)
    loop.close()


def test_an_error_is_raised_to_the_caller_and_the_thread_goes_on() -> None:
    loop = OwnLoop(_nothing)

    async def fail() -> Any:
        raise TimeoutError("a: still queued")

    with pytest.raises(TimeoutError, match="a: still queued"):
        loop.run(fail)
    assert loop.run(_nothing) is None
    loop.close()


def test_closing_ends_the_thread_and_the_next_call_makes_another() -> None:
    ended = []

    async def at_end() -> None:
        ended.append(threading.current_thread().name)

    loop = OwnLoop(at_end)
    before = threading.active_count()
    for count in (1, 2):
        loop.run(_nothing)
        assert threading.active_count() == before + 1
        loop.close()
        assert (threading.active_count(), ended) == (before, ["hospital-producer"] * count)
    loop.close()


def test_the_thread_ends_with_what_it_works_for() -> None:
    before = threading.enumerate()
    loop = OwnLoop(_nothing)
    loop.run(_nothing)
    (thread,) = [each for each in threading.enumerate() if each not in before]
    assert thread.name == "hospital-producer"
    del loop
    thread.join(5)
    assert not thread.is_alive()


def test_closing_ends_the_calls_of_other_threads() -> None:
    loop, began = OwnLoop(_nothing), threading.Event()

    async def wait() -> None:
        began.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor() as threads:
        call = threads.submit(loop.run, wait)
        assert began.wait(5)
        loop.close()
        with pytest.raises(OutageError, match="closed while a call waited"):
            call.result(5)
