"""A producer's side of the queue: calls that are repeated until Redis answers."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from producers.inherited import keep_in_children
from producers.room import OnFull, RoomWait
from producers.waiting import EndWatch
from worker.backoff import Backoff
from worker.codec import MAX_JOB_BYTES, Codec, check_job_id
from worker.contract import JobSpec
from worker.contract.source_queues import queue_of, source_of
from worker.errors import (
    ConfigurationError,
    InvalidEnvelope,
    InvalidPayload,
    OutageError,
    PayloadProblem,
    QueueFull,
    WritesRefused,
)
from worker.queue import keys
from worker.queue.abort_requests import request_abort
from worker.queue.digests import call_digest, stored_digest
from worker.queue.job_state import JobView, look_up, read_envelope
from worker.queue.scripts import Enqueue, EnqueueState, Full, Scripts, Unmarked, key_used_twice
from worker.queue.sending import send_budget, send_some
from worker.queue.waiters import Waiters
from worker.redis.client import address, open_redis
from worker.redis.errors import REDIS_ERRORS, is_not_primary, translate
from worker.redis.limits import ALWAYS_ACCEPTED, ValueLimit
from worker.redis.startup import check_redis
from worker.tracing.extra import needs_extra

if TYPE_CHECKING:
    from worker.contract.actions import Action
    from worker.monitoring.job_facts import JobFacts
    from worker.queue.batches import BatchStore
    from worker.settings import Settings
    from worker.tracing.send_spans import SendSpans

P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")

_BACKOFF = Backoff(first_s=0.05, longest_s=1)
# Looks at single jobs that are on their way at once. Of very many, some would wait for a free connection until that
# counts as an outage.
_LOOKS_AT_ONCE = 50
# Between looks at a job while Redis does not let this producer be woken.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.005, 0.25


class QueueClient:
    """The connection of one producer; calls are repeated for `patience` seconds while Redis is unavailable.

    Connections belong to the event loop and the process that made them. A call in another one makes new ones; while
    the earlier event loop runs, in another thread, it raises `ConfigurationError`.

    A `lazy` one makes sure that Redis can be used with its first call, not when it is opened.

    If a queue is full (`QUEUE_BOUNDS`), a call waits `patience_when_full` seconds for room. `on_full` is called
    when it begins to wait.
    """

    def __init__(
        self,
        settings: "Settings",
        patience: float,
        *,
        lazy: bool = False,
        patience_when_full: float | None = None,
        on_full: OnFull | None = None,
    ) -> None:
        self._settings = settings
        self._source_queues = settings.source_queues
        self._codec = Codec(settings.signing_secrets())
        self._lazy = lazy
        self._unchecked = False
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._watch: EndWatch
        self._prepare()
        self._budget = send_budget(settings.redis_timeout)
        self._spans = _send_spans(settings)
        self.patience = patience
        self._patience_when_full = patience if patience_when_full is None else patience_when_full
        self._on_full = on_full

    def _prepare(self) -> None:
        """Make what belongs to one event loop and one process; no connection is made before its first use."""
        self._redis = open_redis(self._settings)
        self._scripts = Scripts(self._redis)
        self._limit = ValueLimit(self._redis)
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._lost_at, self._lost = 0.0, ""

    async def open(self) -> None:
        """Make sure that Redis can be used. Raises `ConfigurationError` or `OutageError`."""
        self._settle_here()
        self._unchecked = True
        if not self._lazy:
            await self._check()

    async def _check(self) -> None:
        if self._unchecked:
            await check_redis(self._redis, self._settings)
            self._unchecked = False

    async def close(self) -> None:
        """Close the connections."""
        self._settle_here()
        await self._watch.close()
        # The client does not close a pool that it did not make, unless asked to.
        await self._redis.aclose(close_connection_pool=True)

    def sending(
        self, spec: JobSpec[P, Any], payload: P | None = None
    ) -> AbstractContextManager[Callable[[Sequence[str]], None]]:
        """Return the span of a call that enqueues jobs, if they are traced; it takes the ids of the jobs.

        It names the queue of the job with this payload, or of several jobs that of their kind. The jobs' envelopes
        are to be made within: see `job`.
        """
        return _UNTRACED if self._spans is None else self._spans.sending(self._queue_of(spec, payload), spec.name)

    def _queue_of(self, spec: JobSpec[P, Any], payload: P | None) -> str:
        if payload is None or not self._source_queues:
            return spec.queue
        return queue_of(spec, source_of(payload), self._source_queues)

    def job(
        self,
        spec: JobSpec[P, BaseModel],
        payload: P,
        job_id: str,
        delay_s: float = 0,
        batch: str = "",
        *,
        has_key: bool = False,
    ) -> Enqueue:
        """Return the job as the queue stores it. Raises `InvalidPayload` if it is too large.

        `has_key`: a caller chose its id, and may choose it again, so the job says what it does. If jobs are traced,
        it belongs to the current span.
        """
        # The scripts find the digest only as the first field.
        message: dict[str, Any] = {"d": call_digest(spec.name, payload)} if has_key else {}
        message |= {
            "f": spec.name,
            # Not `model_dump`: the records of a chunk are plain values already, and it would walk through all of
            # them.
            "a": [{name: getattr(payload, name) for name in payload.model_fields_set}],
            "et": time.time_ns() // 1_000_000,
        }
        if batch:
            message["b"] = batch
        if self._codec.signs:
            # Without a signature the id proves nothing and only takes memory in Redis.
            message["id"] = job_id
        if self._spans is not None:
            self._spans.add_to(message)
        envelope = self._codec.encode(message)
        if len(envelope) > MAX_JOB_BYTES:
            problem = PayloadProblem("payload", f"{len(envelope):,} bytes; at most {MAX_JOB_BYTES:,} are accepted")
            raise InvalidPayload(spec.payload.__name__, [problem])
        return Enqueue(job_id, self._queue_of(spec, payload), envelope, round(delay_s * 1000))

    async def put(self, jobs: Sequence[Enqueue], batch: str = "") -> list[EnqueueState]:
        """Put jobs on their queues, and into a batch if its id is given; returns how the queue found each id.

        A job that an earlier attempt of this call enqueued, whose answer was lost, counts as new even if it has
        ended. Raises `InvalidPayload` for a job that this Redis does not take, `BatchClosed` and `BatchNotFound`,
        and `KeyUsedTwice` for an id that was used for something else; then no later job was enqueued. The same
        holds for `QueueFull`, which says how many were.
        """
        failed = uncertain = False
        found: list[EnqueueState] = []
        room = RoomWait(self._patience_when_full, self._on_full)

        async def attempt() -> list[EnqueueState]:
            nonlocal failed, uncertain
            uncertain = uncertain or failed
            try:
                while len(found) < len(jobs):
                    states, full = await self._put_some(jobs[len(found) :], batch)
                    found.extend(states)
                    if full is not None:
                        await room.wait(QueueFull(jobs[len(found)].queue, *full, len(found)))
            except REDIS_ERRORS as error:
                failed = not is_not_primary(error)
                await self._refuse_too_large(jobs)
                raise
            return found

        try:
            states = await self._persist(attempt, self.patience)
        except (ConfigurationError, WritesRefused) as error:
            if not uncertain:
                raise
            # A refusal says nothing about the attempt before it, whose answer was lost.
            message = f"{error}; an earlier attempt may have enqueued the job"
            raise OutageError(message, dependency="Redis") from None
        if not uncertain:
            return states
        return [await self._first_found(job, state) for job, state in zip(jobs, states, strict=True)]

    async def _put_some(self, jobs: Sequence[Enqueue], batch: str) -> tuple[list[EnqueueState], Full | None]:
        """Put the first of these jobs on their queues: as many as the link carries in one call, or fewer.

        Returns how the queue found their ids, and if the queue of the job after them is full, its numbers.
        """
        answers = await send_some(self._scripts, self._budget, jobs, batch, self._settings.queue_bounds)
        last = answers[-1] if answers else None
        states = [
            self._same_act(jobs[index], answer) if isinstance(answer, Unmarked) else answer
            for index, answer in enumerate(answers)
            if not isinstance(answer, Full)
        ]
        return states, last if isinstance(last, Full) else None

    def _same_act(self, job: Enqueue, found: Unmarked) -> EnqueueState:
        """Return the state of a job that a program without digests enqueued or ended.

        Raises `KeyUsedTwice` if it certainly does something else.
        """
        try:
            stored = self._codec.decode(found.stored)
            check_job_id(stored, job.job_id)
        except InvalidEnvelope:
            return found.state
        if stored_digest(stored) not in (None, self._codec.decode(job.payload)["d"]):
            raise key_used_twice(job.job_id)
        return found.state

    async def _refuse_too_large(self, jobs: Sequence[Enqueue]) -> None:
        """Raise `InvalidPayload` if one of these jobs is larger than Redis takes; it took none of them then."""
        largest = max(len(job.payload) for job in jobs)
        # Redis closes the connection, which looks like an outage.
        if largest > ALWAYS_ACCEPTED and await self._limit.read() and largest > self._limit.bytes:
            reason = f"{largest:,} bytes; this Redis accepts at most {self._limit.bytes:,} (proto-max-bulk-len)"
            raise InvalidPayload("job", [PayloadProblem("payload", reason)])

    def is_bounded(self, spec: JobSpec[Any, Any]) -> bool:
        """Whether only so many jobs may wait on a queue that jobs of this kind go to."""
        return not self._settings.queue_bounds.keys().isdisjoint((spec.queue, *self._source_queues.values()))

    # What only some producers need is imported in these three: a tenth of the import of all else.

    async def on_batches(self, call: "Callable[[BatchStore], Awaitable[T]]") -> T:
        """Return what a call on the batches returns; it is repeated if Redis does not answer."""
        from worker.queue.batches import BatchStore  # noqa: PLC0415

        return await self._persist(lambda: call(BatchStore(self._redis)), self.patience)

    async def record(self, action: "Action") -> None:
        """Keep the record of an act of an operator, before it is done.

        Raises `ConfigurationError` if the user may not, and what `worker.queue.actions.make_room` raises.
        """
        from worker.queue.actions import keep_action  # noqa: PLC0415

        try:
            await self._persist(lambda: keep_action(self._redis, action), self.patience)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"the act cannot be recorded, so nothing was done; its user needs the key {keys.ACTIONS} "
                f"(docs/security.md, Redis): {error}"
            ) from None

    async def facts(self, job_id: str) -> "JobFacts":
        """Return what Redis knows of a job and of the workers that it waits for.

        Raises `ConfigurationError` if the user may not read that.
        """
        from worker.monitoring.job_facts import read_job_facts  # noqa: PLC0415

        queues = tuple(self._settings.worker_queues)
        try:
            return await self._persist(
                lambda: read_job_facts(self._redis, self._codec, job_id, queues), self.patience
            )
        except ConfigurationError as error:
            raise ConfigurationError(
                f"the job cannot be explained; its user needs more rights (docs/security.md, Redis): {error}"
            ) from None

    async def abort(self, job_id: str) -> None:
        """Ask workers not to run a job, or to stop running it, as arq's `Job.abort` does."""
        await self._persist(lambda: request_abort(self._redis, job_id), self.patience)

    async def view(self, job_id: str, patience: float) -> JobView:
        """Return what Redis knows of a job, without its envelope."""
        self._settle_here()
        began = time.monotonic()
        async with self._looks:
            left = began + patience - time.monotonic()
            if left <= 0 and self._lost_at > began:
                # Found out while this one waited for its turn: to try again could take as long again.
                raise OutageError(self._lost, dependency="Redis")
            more = self._source_queues.values()
            try:
                return await self._persist(lambda: look_up(self._redis, self._codec, job_id, more), left)
            except OutageError as error:
                self._lost_at, self._lost = time.monotonic(), str(error)
                raise

    async def end_of(self, job_id: str, timeout: float, *, comes_later: bool = False) -> JobView:
        """Wait up to `timeout` seconds for a job to end; returns what Redis knows of it then.

        A job that is not known counts as ended, unless it `comes_later`.
        """
        self._settle_here()
        deadline = time.monotonic() + timeout
        pause = _FIRST_LOOK_S
        while True:
            left = deadline - time.monotonic()
            ended = await self._watch.end_of(job_id, left) if left > 0 else None
            view = ended or await self.view(job_id, deadline - time.monotonic())
            left = deadline - time.monotonic()
            if left <= 0 or (view.is_over and not (comes_later and view.state == "unknown")):
                return view
            await asyncio.sleep(min(pause, left))
            pause = min(_LONGEST_LOOK_S, pause * 1.5)

    async def envelope(self, job_id: str) -> dict[str, Any] | None:
        """Return the envelope of a job that has not ended, if it can be read."""
        return await self._persist(lambda: read_envelope(self._redis, self._codec, job_id), self.patience)

    async def _first_found(self, job: Enqueue, state: EnqueueState) -> EnqueueState:
        if state not in ("done", "dead"):
            # While a job's envelope exists, the script itself compares it with the repeated one.
            return state
        view = await self.view(job.job_id, self.patience)
        if view.dead_letter is not None:
            return "new" if view.dead_letter.is_of(job.payload) else state
        # A result repeats when its envelope was made, to the millisecond.
        envelope_ms = self._codec.decode(job.payload)["et"]
        return "new" if view.result is not None and view.result["et"] == envelope_ms else state

    async def _persist(self, call: Callable[[], Awaitable[T]], patience: float) -> T:
        """Repeat `call` until Redis answers, for up to `patience` seconds.

        A refusal is raised at once: Redis is there, and whether to wait is the caller's choice. Only if a
        connection leads to a replica, the call is repeated once on a new one: the name may have moved.
        """
        self._settle_here()
        deadline = time.monotonic() + patience
        failures = 0
        connected_anew = False
        while True:
            try:
                await self._check()
                return await _cancellable(call)
            except REDIS_ERRORS as error:
                failure = translate(error, address(self._settings))
                if isinstance(failure, WritesRefused) and is_not_primary(error) and not connected_anew:
                    connected_anew = True
                    continue
            except OutageError as error:
                failure = error
            if not isinstance(failure, OutageError) or isinstance(failure, WritesRefused):
                raise failure from None
            failures += 1
            delay_s = _BACKOFF.delay_s(failures)
            if time.monotonic() + delay_s > deadline:
                message = f"{failure}; tried for {max(patience, 0):.0f} s"
                raise OutageError(message, dependency="Redis") from None
            await asyncio.sleep(delay_s)

    def _settle_here(self) -> None:
        """Make sure that the connections are of the running event loop and of this process."""
        here = os.getpid(), asyncio.get_running_loop()
        if self._home == here:
            return
        if self._home is not None:
            pid, loop = self._home
            # In another process, the loop runs only in its memory; keep_in_children says what becomes of the rest.
            if pid == here[0] and loop.is_running():
                raise ConfigurationError(
                    "this producer is in use by an event loop in another thread; create one producer for each loop"
                )
            self._prepare()
        # Here even at the first use: processes that were forked before it need names of their own in Redis.
        self._watch = EndWatch(Waiters(self._redis, self._codec), self._settings.redis_timeout)
        keep_in_children(self._redis, self._watch)
        self._home = here


def _ignore(job_ids: Sequence[str]) -> None:
    """Take the ids of jobs that are not traced."""


_UNTRACED = nullcontext(_ignore)


def _send_spans(settings: "Settings") -> "SendSpans | None":
    if settings.queue_tracing == "off":
        return None
    with needs_extra():
        from worker.tracing.send_spans import SendSpans  # noqa: PLC0415 (needs the extra)
    return SendSpans()


async def _cancellable(call: Callable[[], Awaitable[T]]) -> T:
    """Await a call of redis-py, and raise `CancelledError` if the task was cancelled meanwhile.

    redis-py awaits what it sends in `asyncio.wait_for`, and that of Python 3.11 drops a cancellation which comes as
    the data is written.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        return await call()
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
