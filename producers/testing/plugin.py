"""Fixtures for pytest, which finds this module by its entry point. Importing it imports nothing else of ours.

All are synchronous, so they work with pytest-asyncio, with anyio and without either.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from producers.testing.command_log import CommandLog
    from producers.testing.inline import InlineProducer
    from producers.testing.private_mongo import PrivateMongo
    from producers.testing.recording import RecordingProducer
    from producers.testing.transaction_faults import TransactionFaults

_OWN = frozenset({"worker", "producers"})


@contextmanager
def _needs_embedded(fixture: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _OWN:
            raise
        pytest.fail(f"{fixture} needs {package}: pip install 'hospital-registry-worker[embedded]'", pytrace=False)


@pytest.fixture
def recording_producer() -> "RecordingProducer":
    """A `HospitalProducer` that records jobs and runs none; needs no server."""
    from producers.testing.recording import RecordingProducer  # noqa: PLC0415 (only those who use it pay for it)

    return RecordingProducer()


@pytest.fixture(scope="session")
def private_mongo() -> Iterator["PrivateMongo"]:
    """A private MongoDB replica set for this run; `private_mongo.url` is its address."""
    with _needs_embedded("private_mongo"):
        from producers.testing.private_mongo import PrivateMongo  # noqa: PLC0415 (as above)

    with PrivateMongo() as server:
        yield server


@pytest.fixture
def inline_producer(private_mongo: "PrivateMongo", command_log: "CommandLog") -> Iterator["InlineProducer"]:
    """A `HospitalProducer` whose jobs run at once, on a database of their own; `command_log` has their commands."""
    with _needs_embedded("inline_producer"):
        from producers.testing.inline import InlineProducer  # noqa: PLC0415 (as above)

    with InlineProducer(private_mongo, listeners=[command_log]) as producer:
        yield producer


@pytest.fixture
def command_log() -> Iterator["CommandLog"]:
    """The commands of each MongoDB client that is made with `event_listeners=[command_log]`."""
    with _needs_embedded("command_log"):
        from producers.testing.command_log import CommandLog  # noqa: PLC0415 (as above)

    with CommandLog() as log:
        yield log


@pytest.fixture
def transaction_faults(private_mongo: "PrivateMongo") -> "TransactionFaults":
    """Makes commits and writes of any client of `private_mongo` fail."""
    return private_mongo.faults
