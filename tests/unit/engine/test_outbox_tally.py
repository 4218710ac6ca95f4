from tests.support.outbox import NOW, MemoryOutbox
from tests.unit.engine.conftest import KeptEvents
from worker.engine.events import OutboxDocumentsUnreadable
from worker.engine.outbox_tally import OutboxTally
from worker.errors import OutageError
from worker.queue.heartbeats import OutboxState


def look(tally: OutboxTally, *unreadable: int, skipped: int = 0) -> None:
    tally.begin_look()
    for count in unreadable:
        tally.meet(count)
    tally.end_look(skipped)


async def test_nothing_is_known_before_it_was_read_and_while_it_cannot_be() -> None:
    outbox = MemoryOutbox()
    tally = OutboxTally(KeptEvents(), outbox)
    states = [tally.state]
    await tally.measure()
    states.append(tally.state)
    outbox.errors["size"] = OutageError("MongoDB cannot be reached")
    await tally.measure()
    states.append(tally.state)

    assert states == [None, OutboxState(jobs=0), None]


async def test_what_looks_have_found_is_told_until_the_next_one_has_ended() -> None:
    outbox = MemoryOutbox()
    tally = OutboxTally(KeptEvents(), outbox)
    outbox.add("a")
    outbox.unreadable = 3
    look(tally, 1, 2, skipped=1)
    await tally.measure()
    found = OutboxState(jobs=1, oldest_due=NOW, skipped=1, unreadable=3)
    assert tally.state == found

    tally.begin_look()
    assert tally.state == found
    tally.end_look(0)
    outbox.unreadable = 0
    await tally.measure()
    assert tally.state == OutboxState(jobs=1, oldest_due=NOW)


def test_documents_that_are_no_jobs_are_reported_when_their_number_changes() -> None:
    events = KeptEvents()
    tally = OutboxTally(events, MemoryOutbox())
    for count in (0, 2, 2, 3, 0, 3):
        look(tally, count)

    assert [event.count for event in events.of(OutboxDocumentsUnreadable)] == [2, 3, 3]
