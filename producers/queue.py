"""A producer's side of the queue: calls that repeat themselves until Redis has answered."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from arq.utils import timestamp_ms
from pydantic import BaseModel
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.codec import MAX_JOB_BYTES, Codec
from worker.contract import JobSpec
from worker.engine.redis_health import error_code
from worker.errors import ConfigurationError, InvalidPayload, OutageError, PayloadProblem, WritesRefused
from worker.queue.job_state import JobView, look_up, read_envelope
from worker.queue.scripts import Enqueue, EnqueueState, Scripts
from worker.redis.client import PASSING_REFUSALS, address, check_redis, open_redis
from worker.settings import Settings

P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")

_FIRST_REPEAT_S, _LONGEST_REPEAT_S = 0.05, 1.0


class QueueClient:
    """The connection of one producer; `patience` is how many seconds a call goes on while Redis is away."""

    def __init__(self, settings: Settings, patience: float) -> None:
        self._settings = settings
        self._codec = Codec(settings.signing_secrets())
        self._redis = open_redis(settings, self._codec)
        self._scripts = Scripts(self._redis)
        self.patience = patience

    async def open(self) -> None:
        """Make sure that Redis can be used. Raises `ConfigurationError` or `OutageError`."""
        await check_redis(self._redis, self._settings)

    async def close(self) -> None:
        """Close the connections."""
        # The pool was made apart from the client, which leaves it open unless told.
        await self._redis.aclose(close_connection_pool=True)

    def job(self, spec: JobSpec[P, BaseModel], payload: P, job_id: str, delay_s: float) -> Enqueue:
        """Return the job in the form that Redis takes. Raises `InvalidPayload` if it is too large."""
        message: dict[str, Any] = {
            "f": spec.name,
            # Not `model_dump` of the whole: a chunk's records are plain already, and it would walk them all.
            "a": [{name: getattr(payload, name) for name in payload.model_fields_set}],
            "et": timestamp_ms(),
        }
        if self._codec.signs:
            # What nobody can vouch for would only take up Redis's memory.
            message["id"] = job_id
        envelope = self._codec.encode(message)
        if len(envelope) > MAX_JOB_BYTES:
            problem = PayloadProblem("payload", f"{len(envelope):,} bytes; at most {MAX_JOB_BYTES:,} are taken")
            raise InvalidPayload(spec.payload.__name__, [problem])
        return Enqueue(job_id, spec.queue, envelope, round(delay_s * 1000))

    async def put(self, jobs: Sequence[Enqueue]) -> list[EnqueueState]:
        """Put jobs on their queues and tell how the queue found each id.

        A job that an attempt of this very call had put there, its answer lost, counts as new, ended or not.
        """
        attempts = 0

        async def attempt() -> list[EnqueueState]:
            nonlocal attempts
            attempts += 1
            return await self._scripts.enqueue(jobs)

        states = await self._persist(attempt, self.patience)
        if attempts == 1:
            return states
        return [await self._first_found(job, state) for job, state in zip(jobs, states, strict=True)]

    async def view(self, job_id: str, patience: float) -> JobView:
        """Return what Redis holds of a job, its envelope aside."""
        return await self._persist(lambda: look_up(self._redis, self._codec, job_id), patience)

    async def envelope(self, job_id: str) -> dict[str, Any] | None:
        """Return the envelope of a job that has not ended, if it can be read."""
        return await self._persist(lambda: read_envelope(self._redis, self._codec, job_id), self.patience)

    async def _first_found(self, job: Enqueue, state: EnqueueState) -> EnqueueState:
        if state not in ("done", "dead"):
            # While a job's envelope is there, the script itself compares it with the repeated one.
            return state
        view = await self.view(job.job_id, self.patience)
        if view.dead_letter is not None:
            return "new" if view.dead_letter.envelope == job.payload else state
        # A result repeats of the envelope when it was made, to the millisecond.
        ours = view.result is not None and view.result["et"] == self._codec.decode(job.payload)["et"]
        return "new" if ours else state

    async def _persist(self, call: Callable[[], Awaitable[T]], patience: float) -> T:
        deadline = time.monotonic() + patience
        delay = _FIRST_REPEAT_S
        while True:
            try:
                return await call()
            except (AuthenticationError, NoPermissionError) as error:
                # To redis-py a refused login is a lost connection; repeating it mends nothing.
                raise ConfigurationError(
                    f"REDIS_URL: Redis at {address(self._settings)} refused us ({type(error).__name__}); check the "
                    "user, the password and what the user may do"
                ) from None
            except (RedisConnectionError, RedisTimeoutError, OSError) as error:
                if time.monotonic() + delay > deadline:
                    raise OutageError(
                        f"Redis at {address(self._settings)} has not answered for {max(patience, 0):.0f} s "
                        f"({type(error).__name__})"
                    ) from None
            except ResponseError as error:
                # Redis is there and refuses; whether to wait is the caller's choice.
                code = error_code(error)
                if code in PASSING_REFUSALS:
                    raise WritesRefused(f"Redis at {address(self._settings)} refuses writes ({code})") from None
                raise ConfigurationError(
                    f"REDIS_URL: Redis at {address(self._settings)} cannot run the queue's commands "
                    f"({code or type(error).__name__})"
                ) from None
            except RedisError as error:
                raise OutageError(f"Redis at {address(self._settings)}: {type(error).__name__}") from None
            await asyncio.sleep(delay * random.uniform(0.5, 1))
            delay = min(_LONGEST_REPEAT_S, delay * 2)
