"""What happened to one job, in order (`timeline`)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from worker.contract.job_ends import PastEnd
from worker.monitoring.job_facts import JobFacts


class Moment(NamedTuple):
    """Something that happened to a job, or is planned; `at_ms` in milliseconds since 1970, of whoever noted it."""

    at_ms: float
    what: str


def timeline(facts: JobFacts, ends: Sequence[PastEnd]) -> list[Moment]:
    """Return what Redis and the history know of a job, the oldest first; `ends` is what the history says.

    There is nothing of the payload, and no message of an error.
    """
    found = [*_enqueued(facts, ends), *_tries(facts), *_past(ends), *_result(facts, ends), *_dead(facts, ends)]
    # What two places know alike is one moment.
    return sorted(dict.fromkeys([*found, *_requests(facts)]), key=lambda moment: moment.at_ms)


def _enqueued(facts: JobFacts, ends: Sequence[PastEnd]) -> Iterator[Moment]:
    dead = facts.dead_letter
    if dead is not None and dead.enqueued_at is not None:
        yield Moment(round(dead.enqueued_at.timestamp() * 1000), "enqueued")
    for at_ms in (facts.enqueued_ms, *(past.end.enqueued_ms for past in ends)):
        if at_ms:
            yield Moment(at_ms, "enqueued")


def _tries(facts: JobFacts) -> Iterator[Moment]:
    for failure in facts.failures:
        yield Moment(failure.at_ms, f"try {failure.tries:,} failed: {failure.type}")


def _past(ends: Sequence[PastEnd]) -> Iterator[Moment]:
    words = {"complete": "ended well", "dead": "failed: dead-lettered", "aborted": "ended: aborted"}
    for end, worker, *_ in ends:
        yield Moment(end.started_ms, f"try {end.tries:,} began on worker {worker}")
        how = words.get(end.outcome, f"ended: {end.outcome}")
        yield Moment(end.ended_ms, f"try {end.tries:,} {how}{_detail(end.status or end.error)}")


def _result(facts: JobFacts, ends: Sequence[PastEnd]) -> Iterator[Moment]:
    ended = facts.ended
    if ended is None or facts.dead_letter is not None:
        return
    if any((past.end.started_ms, past.end.ended_ms) == (ended.started_ms, ended.finished_ms) for past in ends):
        return
    how = "ended: aborted" if ended.aborted else "ended well" if ended.success else "failed"
    detail = "" if ended.aborted else _detail(ended.status or ended.error)
    yield Moment(ended.started_ms, f"try {ended.tries:,} began")
    yield Moment(ended.finished_ms, f"try {ended.tries:,} {how}{detail}")


def _dead(facts: JobFacts, ends: Sequence[PastEnd]) -> Iterator[Moment]:
    dead = facts.dead_letter
    if dead is not None and not (ends and ends[0].end.outcome == "dead"):
        what = f"try {dead.failure.tries:,} failed: dead-lettered{_detail(dead.failure.type)}"
        yield Moment(facts.dead_ms or dead.failure.at_ms, what)


def _requests(facts: JobFacts) -> Iterator[Moment]:
    if facts.abort_ms is not None:
        yield Moment(facts.abort_ms, "an abort was asked for")
    place = facts.place
    if place is not None and place.lease_ms is not None:
        yield Moment(place.lease_ms, f"its lease ends, unless worker {facts.owner or 'unknown'} renews it")
    elif place is not None and place.due_ms > facts.now_ms:
        yield Moment(place.due_ms, "due")


def _detail(text: str) -> str:
    return f" ({text})" if text else ""
