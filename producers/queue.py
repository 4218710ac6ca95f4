"""A producer's side of the queue: calls that are repeated until Redis answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from worker.backoff import Backoff
from worker.codec import MAX_JOB_BYTES, Codec
from worker.contract import JobSpec
from worker.errors import ConfigurationError, InvalidPayload, OutageError, PayloadProblem, WritesRefused
from worker.queue.job_state import JobView, look_up, read_envelope
from worker.queue.scripts import Enqueue, EnqueueState, Scripts
from worker.redis.client import address, open_redis
from worker.redis.errors import REDIS_ERRORS, translate
from worker.redis.limits import ALWAYS_ACCEPTED, ValueLimit
from worker.redis.startup import check_redis
from worker.settings import Settings

P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")

_BACKOFF = Backoff(first_s=0.05, longest_s=1)


class QueueClient:
    """The connection of one producer; calls are repeated for `patience` seconds while Redis is unavailable."""

    def __init__(self, settings: Settings, patience: float) -> None:
        self._settings = settings
        self._codec = Codec(settings.signing_secrets())
        self._redis = open_redis(settings)
        self._scripts = Scripts(self._redis)
        self._limit = ValueLimit(self._redis)
        self.patience = patience

    async def open(self) -> None:
        """Make sure that Redis can be used. Raises `ConfigurationError` or `OutageError`."""
        await check_redis(self._redis, self._settings)

    async def close(self) -> None:
        """Close the connections."""
        # The client does not close a pool that it did not make, unless asked to.
        await self._redis.aclose(close_connection_pool=True)

    def job(self, spec: JobSpec[P, BaseModel], payload: P, job_id: str, delay_s: float) -> Enqueue:
        """Return the job as the queue stores it. Raises `InvalidPayload` if it is too large."""
        message: dict[str, Any] = {
            "f": spec.name,
            # Not `model_dump`: the records of a chunk are plain values already, and it would walk through all of
            # them.
            "a": [{name: getattr(payload, name) for name in payload.model_fields_set}],
            "et": time.time_ns() // 1_000_000,
        }
        if self._codec.signs:
            # Without a signature the id proves nothing and only takes memory in Redis.
            message["id"] = job_id
        envelope = self._codec.encode(message)
        if len(envelope) > MAX_JOB_BYTES:
            problem = PayloadProblem("payload", f"{len(envelope):,} bytes; at most {MAX_JOB_BYTES:,} are accepted")
            raise InvalidPayload(spec.payload.__name__, [problem])
        return Enqueue(job_id, spec.queue, envelope, round(delay_s * 1000))

    async def put(self, jobs: Sequence[Enqueue]) -> list[EnqueueState]:
        """Put jobs on their queues; returns how the queue found each id.

        A job that an earlier attempt of this call enqueued, whose answer was lost, counts as new even if it has
        ended. Raises `InvalidPayload` for a job that this Redis does not take.
        """
        attempts = 0

        async def attempt() -> list[EnqueueState]:
            nonlocal attempts
            attempts += 1
            try:
                return await self._scripts.enqueue(jobs)
            except REDIS_ERRORS:
                await self._refuse_too_large(jobs)
                raise

        try:
            states = await self._persist(attempt, self.patience)
        except (ConfigurationError, WritesRefused) as error:
            if attempts == 1:
                raise
            # A refusal says nothing about the attempt before it, whose answer was lost.
            raise OutageError(f"{error}; an earlier attempt may have enqueued the job") from None
        if attempts == 1:
            return states
        return [await self._first_found(job, state) for job, state in zip(jobs, states, strict=True)]

    async def _refuse_too_large(self, jobs: Sequence[Enqueue]) -> None:
        """Raise `InvalidPayload` if one of these jobs is larger than Redis takes; it took none of them then."""
        largest = max(len(job.payload) for job in jobs)
        # Redis closes the connection, which looks like an outage.
        if largest > ALWAYS_ACCEPTED and await self._limit.read() and largest > self._limit.bytes:
            reason = f"{largest:,} bytes; this Redis accepts at most {self._limit.bytes:,} (proto-max-bulk-len)"
            raise InvalidPayload("job", [PayloadProblem("payload", reason)])

    async def view(self, job_id: str, patience: float) -> JobView:
        """Return what Redis knows of a job, without its envelope."""
        return await self._persist(lambda: look_up(self._redis, self._codec, job_id), patience)

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

        A refusal is raised at once: Redis is there, and whether to wait is the caller's choice.
        """
        deadline = time.monotonic() + patience
        failures = 0
        while True:
            try:
                return await call()
            except REDIS_ERRORS as error:
                failure = translate(error, address(self._settings))
            if not isinstance(failure, OutageError) or isinstance(failure, WritesRefused):
                raise failure from None
            failures += 1
            delay_s = _BACKOFF.delay_s(failures)
            if time.monotonic() + delay_s > deadline:
                raise OutageError(f"{failure}; tried for {max(patience, 0):.0f} s") from None
            await asyncio.sleep(delay_s)
