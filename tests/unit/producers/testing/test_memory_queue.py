"""The queue in memory replaces everything by which a producer reaches Redis."""

import inspect

import pytest

from producers.queue import QueueClient
from producers.testing import InlineProducer, RecordingProducer
from producers.testing.memory_queue import MemoryQueue
from producers.testing.stored_batches import StoredBatches
from worker.errors import ConfigurationError
from worker.queue.batches import BatchStore

# They send nothing, and `job` is extended.
OFFLINE = {"is_bounded", "sending"}
# What only workers and commands call.
NOT_OF_PRODUCERS = {"job_outcome", "next_silent", "running", "settle", "settle_page", "unfinished"}


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_call_of_the_queue_is_replaced_with_its_parameters() -> None:
    assert public(QueueClient) - OFFLINE <= public(MemoryQueue)
    for name in public(QueueClient) - OFFLINE:
        theirs, ours = (inspect.signature(getattr(kind, name)) for kind in (QueueClient, MemoryQueue))
        assert list(ours.parameters) == list(theirs.parameters), name


def test_every_call_on_batches_is_replaced_with_its_parameters() -> None:
    replaced = public(BatchStore) - NOT_OF_PRODUCERS
    assert replaced <= public(StoredBatches)
    for name in replaced:
        theirs, ours = (inspect.signature(getattr(kind, name)) for kind in (BatchStore, StoredBatches))
        assert list(ours.parameters) == list(theirs.parameters), name


@pytest.mark.parametrize("kind", [RecordingProducer, InlineProducer])
def test_connect_says_how_a_producer_for_tests_is_made(kind: type[RecordingProducer | InlineProducer]) -> None:
    with pytest.raises(ConfigurationError, match=rf"{kind.__name__}\(…\)"):
        kind.connect(patience=1)
