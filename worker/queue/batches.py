"""Batches: jobs that belong together, with counters, and one completion job once the last of them has ended.

A batch is open until it is sealed or cancelled. It ends once it takes no more jobs and all its jobs have ended; the
script that counts the last of them enqueues the completion job in the same step. The counters and the states of its
jobs can be read for 30 days after that.
"""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from worker.errors import BatchNotFound
from worker.queue import keys
from worker.queue.script_source import script_source
from worker.queue.scripts import Enqueue

BatchState = Literal["open", "sealed", "cancelling", "finished", "cancelled"]
"""`open`: jobs can be added; `sealed`, `cancelling`: not all have ended; `finished`, `cancelled`: all have."""
BatchOutcome = Literal["complete", "dead", "aborted", "dropped", "lost"]
ResultReader = Callable[[bytes], BatchOutcome]
"""Says how a job ended, from the bytes of its stored result."""

OUTCOMES: tuple[BatchOutcome, ...] = ("complete", "dead", "aborted", "dropped", "lost")
LONGEST_ID = 100
_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_ID}}}")
_COUNT_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_COUNT = re.compile(r"(\S+)=(\d+)")
_FIELDS = ("created", "total", *OUTCOMES, "sealed", "cancelled", "to_drop", "finished", "completion", "counts")
# Jobs per list of them.
_PAGE = 500
# Jobs per call of batch_settle.lua; Redis serves others between two calls, about ten milliseconds apart.
_SETTLED_AT_ONCE = 1_000
# How long the caller of a cancellation drops jobs itself; workers drop the rest.
_LONGEST_CANCEL_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far a batch is: how many jobs it has, and how many have ended in each way.

    `dropped` jobs waited when the batch was cancelled: they count from then on, although removing them takes time.
    `lost` ones have left no trace: somebody deleted their keys, or a worker of an earlier version ended them and
    their results have expired. A dead letter that is retried counts as dead until the job ends again. `counts` are
    those that its completed jobs have reported. `completion` is the id of the completion job, empty if there is
    none.
    """

    batch_id: str
    state: BatchState
    total: int
    complete: int = 0
    dead: int = 0
    aborted: int = 0
    dropped: int = 0
    lost: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    completion: str = ""
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def ended(self) -> int:
        """How many jobs have ended."""
        return self.complete + self.dead + self.aborted + self.dropped + self.lost

    @property
    def outcomes(self) -> dict[BatchOutcome, int]:
        """How many jobs have ended in each way; ways in which none has ended are left out."""
        numbers: dict[BatchOutcome, int] = {outcome: getattr(self, outcome) for outcome in OUTCOMES}
        return {outcome: number for outcome, number in numbers.items() if number}

    @property
    def has_ended(self) -> bool:
        """Whether the batch has ended, so that its completion job is enqueued."""
        return self.finished_at is not None


class BatchJob(NamedTuple):
    """One job of a batch; `outcome` is `None` until it has ended."""

    job_id: str
    outcome: BatchOutcome | None


class SettledPage(NamedTuple):
    """The answer to one call of batch_settle.lua.

    How many jobs the batch has, -1 if there is no such batch; how many have not ended; how many this call dropped;
    the ids of jobs of which only a result is left that nobody has read; and whether the batch is cancelled.
    """

    total: int
    waiting: int
    dropped: int
    unread: list[bytes]
    cancelled: int


def is_batch_id(text: str) -> bool:
    """Whether a text can be the id of a batch: 1 to 100 ASCII letters, digits, `.`, `_` and `-`."""
    return _ID.fullmatch(text) is not None


def check_count(name: str, number: int) -> None:
    """Raise `ValueError` if a job may not count this: the name is stored with every batch, and counts only grow."""
    if _COUNT_NAME.fullmatch(name) is None or not 0 <= number < 2**53:
        raise ValueError("a job counts a number from 0 on, under a name of lower-case letters, digits and _")


def completion_entry(batch_id: str, outcome: BatchOutcome | None, counts: Mapping[str, int]) -> str:
    """Return what a completion says of its job's batch; without an outcome the job runs again."""
    if outcome is None:
        return batch_id
    return " ".join([batch_id, outcome, *(f"{name}={number}" for name, number in counts.items())])


class BatchStore:
    """Creates, closes, reads and settles batches. Each method may be repeated if Redis did not answer."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis
        self._create = redis.register_script(script_source("batch_create"))
        self._close = redis.register_script(script_source("batch_close"))
        self._next = redis.register_script(script_source("batch_next"))
        self._settle = redis.register_script(script_source("batch_settle"))

    async def create(self, batch_id: str, completion: Enqueue | None) -> bool:
        """Create an open batch, with the job to enqueue at its end; one that exists stays as it is.

        Returns whether it was created now.
        """
        job = (completion.job_id, completion.queue, completion.payload) if completion else ("", "", b"")
        return bool(await self._create(keys=[keys.BATCHES], args=[batch_id, *job]))

    async def seal(self, batch_id: str) -> None:
        """Fix the number of jobs. Raises `BatchNotFound`."""
        await self._close_batch(batch_id, "sealed")

    async def cancel(self, batch_id: str) -> int:
        """Drop the jobs that wait, and let those that run end; returns how many were removed now.

        From its first step on no waiting job is claimed any more, and `progress` counts them as dropped. A job that
        would run again is dropped too. A batch that has ended stays as it is. After a second and a half, or if the
        caller ends before, a worker removes the rest. Raises `BatchNotFound`.
        """
        await self._close_batch(batch_id, "cancelled")
        return await self._settle_pages(batch_id, None, until=time.monotonic() + _LONGEST_CANCEL_S)

    async def progress(self, batch_id: str) -> BatchProgress:
        """Return how far a batch is. Raises `BatchNotFound`."""
        stored = await self._of_hash(keys.BATCH + batch_id, _FIELDS)
        values = {name: value.decode() for name, value in zip(_FIELDS, stored, strict=False) if value is not None}
        if "total" not in values:
            raise _not_found(batch_id)
        return _progress(batch_id, values)

    async def job_outcome(self, batch_id: str, job_id: str) -> BatchOutcome | None:
        """Return how a job ended in a batch; `None` if it has not ended, or is not in the batch."""
        state = await self._of_hash(keys.BATCH_JOBS + batch_id, [job_id.encode(errors="surrogateescape")])
        return _outcome(state[0]) if state else None

    async def jobs(self, batch_id: str, first: int = 0) -> list[BatchJob]:
        """Return 500 jobs of a batch from position `first` on, in the order in which they were added.

        There are fewer at the end, and none if there is no such batch.
        """
        ids = await self._redis.lrange(keys.BATCH_ORDER + batch_id, first, first + _PAGE - 1)
        states = await self._redis.hmget(keys.BATCH_JOBS + batch_id, ids) if ids else []
        return [BatchJob(job_id.decode(), _outcome(state)) for job_id, state in zip(ids, states, strict=True)]

    async def unfinished(self) -> list[str]:
        """Return the ids of the batches that have not ended."""
        return [batch_id.decode() for batch_id in await self._redis.zrange(keys.BATCHES, 0, -1)]

    async def running(self, most: int) -> tuple[list[BatchProgress], int]:
        """Return up to `most` of the batches that have not ended, oldest first, and how many more there are."""
        batch_ids = await self.unfinished()
        found: list[BatchProgress] = []
        for batch_id in batch_ids[:most]:
            # One that another program has overwritten is not there.
            with suppress(BatchNotFound):
                found.append(await self.progress(batch_id))
        running = [batch for batch in found if not batch.has_ended]
        return sorted(running, key=lambda batch: batch.created_at), max(0, len(batch_ids) - most)

    async def next_silent(self) -> str:
        """Return a batch none of whose jobs has ended lately, and let no other caller have it for a while.

        Returns an empty string if there is none.
        """
        return cast(bytes, await self._next(keys=[keys.BATCHES, keys.CLOCK])).decode()

    async def settle(self, batch_id: str, read_result: ResultReader) -> None:
        """Count the jobs of a batch that have ended without it; if it is cancelled, drop those that wait.

        Raises `BatchNotFound`, and forgets such a batch.
        """
        await self._settle_pages(batch_id, read_result, until=math.inf)

    async def settle_page(self, batch_id: str, first: int, outcomes: Sequence[Any] = ()) -> SettledPage:
        """Do so for the jobs from one position on; `outcomes` are ids of jobs, each followed by its outcome."""
        answer = await self._settle(
            keys=[keys.LEASES, keys.CRASHES, keys.ABORT, keys.DEAD, keys.CLOCK],
            args=[batch_id, first, first + _SETTLED_AT_ONCE - 1, *outcomes],
        )
        return SettledPage(*answer)

    async def _of_hash(self, key: str, fields: Sequence[str | bytes]) -> list[bytes | None]:
        """Return fields of a hash; none at all if the key has another type."""
        try:
            values: list[bytes | None] = await self._redis.hmget(key, fields)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            return []
        return values

    async def _close_batch(self, batch_id: str, mark: Literal["sealed", "cancelled", "dropped"]) -> None:
        if not await self._close(keys=[keys.CLOCK, keys.LEASES], args=[batch_id, mark]):
            raise _not_found(batch_id)

    async def _settle_pages(self, batch_id: str, read_result: ResultReader | None, *, until: float) -> int:
        dropped = first = 0
        was_cancelled = False
        while True:
            page = await self.settle_page(batch_id, first)
            if page.total < 0:
                raise _not_found(batch_id)
            if first == 0:
                # If it is cancelled only meanwhile, the jobs before are still to be dropped.
                was_cancelled = bool(page.cancelled)
            dropped += page.dropped
            if page.unread and read_result is not None:
                page = await self.settle_page(batch_id, first, await self._outcomes(page.unread, read_result))
            first += _SETTLED_AT_ONCE
            if page.waiting == 0:
                return dropped
            if first >= page.total:
                if was_cancelled:
                    await self._close_batch(batch_id, "dropped")
                return dropped
            if time.monotonic() > until:
                return dropped

    async def _outcomes(self, job_ids: list[bytes], read_result: ResultReader) -> list[Any]:
        outcomes: list[Any] = []
        for job_id in job_ids:
            # One at a time: results may be large.
            result = await self._redis.get(keys.RESULT.encode() + job_id)
            if result is not None:
                outcomes += [job_id, read_result(result)]
        return outcomes


def _not_found(batch_id: str) -> BatchNotFound:
    return BatchNotFound(f"{batch_id}: no batch has this id, or it ended more than 30 days ago")


def _outcome(state: bytes | None) -> BatchOutcome | None:
    return cast(BatchOutcome, state[1:].decode()) if state is not None and state.startswith(b":") else None


def _progress(batch_id: str, values: Mapping[str, str]) -> BatchProgress:
    if "finished" in values:
        state: BatchState = "cancelled" if "cancelled" in values else "finished"
    elif "cancelled" in values:
        state = "cancelling"
    else:
        state = "sealed" if "sealed" in values else "open"
    total, dropped = int(values["total"]), int(values.get("dropped", 0))
    if state == "cancelling":
        others = sum(int(values.get(outcome, 0)) for outcome in OUTCOMES if outcome != "dropped")
        dropped = max(dropped, min(int(values.get("to_drop", 0)), total - others))
    return BatchProgress(
        batch_id=batch_id,
        state=state,
        total=total,
        complete=int(values.get("complete", 0)),
        dead=int(values.get("dead", 0)),
        aborted=int(values.get("aborted", 0)),
        dropped=dropped,
        lost=int(values.get("lost", 0)),
        counts={name: int(number) for name, number in _COUNT.findall(values.get("counts", ""))},
        completion=values.get("completion", ""),
        created_at=_instant(values["created"]),
        finished_at=_instant(values["finished"]) if "finished" in values else None,
    )


def _instant(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
