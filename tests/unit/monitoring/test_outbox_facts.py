from datetime import UTC, datetime, timedelta

from worker.contract.outbox import OutboxSize
from worker.errors import OutageError
from worker.monitoring.outbox_facts import OutboxFacts
from worker.monitoring.samples import Samples

JOBS, AGE = "hospital_outbox_jobs", "hospital_outbox_oldest_due_age_seconds"


class Scripted:
    """An outbox of a size that a test sets."""

    def __init__(self, size: OutboxSize) -> None:
        self.size: OutboxSize | OutageError = size

    async def read(self) -> OutboxSize:
        if isinstance(self.size, OutageError):
            raise self.size
        return self.size


def numbers(facts: OutboxFacts) -> dict[str, float]:
    samples = Samples()
    facts.add_to(samples)
    return {name: values[()] for name, values in samples.numbers.items()}


async def test_what_waits_and_for_how_long() -> None:
    outbox = Scripted(OutboxSize(3, datetime.now(UTC) - timedelta(minutes=10)))
    facts = OutboxFacts(outbox.read)
    assert numbers(facts) == {}

    await facts.look()
    found = numbers(facts)
    assert found[JOBS] == 3
    assert 600 <= found[AGE] < 660

    outbox.size = OutboxSize(1, datetime.now(UTC) + timedelta(minutes=10))
    await facts.look()
    assert numbers(facts) == {JOBS: 1, AGE: 0}

    outbox.size = OutboxSize(0, None)
    await facts.look()
    assert numbers(facts) == {JOBS: 0, AGE: 0}


async def test_what_cannot_be_read_is_not_known() -> None:
    outbox = Scripted(OutboxSize(3, None))
    facts = OutboxFacts(outbox.read)
    await facts.look()
    outbox.size = OutageError("MongoDB cannot be reached")

    await facts.look()

    assert numbers(facts) == {}
