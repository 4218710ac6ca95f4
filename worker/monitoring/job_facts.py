"""Everything that Redis knows of one job, read at once (`read_job_facts`)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

from pydantic import ValidationError
from redis.asyncio import Redis

from worker.codec import Codec, check_job_id
from worker.contract import JOBS, QUEUES
from worker.contract.fields import BATCH_MARK
from worker.contract.job_ends import PastEnd
from worker.errors import BatchNotFound, InvalidEnvelope
from worker.monitoring.ended_job import EndedJob
from worker.queue import keys
from worker.queue.batches import BatchOutcome, BatchProgress, BatchStore, is_batch_id
from worker.queue.claim import worker_of
from worker.queue.dead_letter import DeadLetter, Failure, read_dead_letter
from worker.queue.heartbeats import STALE_AFTER_S, Heartbeat, parse_heartbeats
from worker.queue.job_state import read_result
from worker.queue.pauses import Pause, parse_pauses
from worker.queue.script_source import script_source

# A larger envelope is not read for its function's name: its job's id has that too, unless it is an arq user's own.
_LARGEST_READ = 65_536
# The counter, then the tokens of the owners: see `read_crashes` in prelude.lua.
_CRASHES = re.compile(r"(\d{1,6})(?: |$)")
_COUNTER = re.compile(rb"\d{1,6}")
# What finish.lua writes in place of an owner while the id of a cron job stays taken.
_ENDED = b"ended"


@dataclass(frozen=True, slots=True)
class Place:
    """A job's entry on a queue: when it is due, and how many due jobs are before it.

    While the job is claimed, `due_ms` is when its lease ends; `lease_ms` says the same, and is `None` for a job
    that is not claimed, or that a worker of arq's own has. Both are milliseconds of the queues' time.
    """

    queue: str
    due_ms: float
    ahead: int
    lease_ms: float | None


@dataclass(frozen=True, slots=True)
class JobBatch:
    """The batch of a job, and how the job has ended in it, if it has."""

    progress: BatchProgress
    outcome: BatchOutcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What Redis knows of one job. There is never anything of its payload but the function's name.

    `payload` says what its job key holds. `owner` is the id of the worker that has or had it last, `holder` whether
    its in-progress key names an owner. `failures` is how the latest of its earlier tries ended, the oldest first.
    `crashes` is how often its lease ended and its owner was not heard of again. `unknown_ms` is when a worker last
    met its function and did not have it. `pauses` is all that is paused. `workers` are all heartbeats, each with
    its age in seconds. `now_ms` is the queues' time. `ends` is what the history says, the newest end first; it is
    asked only if Redis does not know how the job ended, and `has_history` says whether it was.
    """

    job_id: str
    now_ms: int
    queues: tuple[str, ...]
    function: str | None = None
    enqueued_ms: int | None = None
    payload: Literal["missing", "stored", "foreign"] = "missing"
    payload_bytes: int | None = None
    place: Place | None = None
    owner: str | None = None
    is_held: bool = False
    tries: int = 0
    failures: tuple[Failure, ...] = ()
    crashes: int = 0
    abort_ms: float | None = None
    ended: EndedJob | None = None
    unreadable: str = ""
    dead_letter: DeadLetter | None = None
    dead_ms: float | None = None
    batch: JobBatch | None = None
    unknown_ms: float | None = None
    pauses: tuple[Pause, ...] = ()
    workers: tuple[tuple[Heartbeat, float], ...] = field(default=())
    ends: tuple[PastEnd, ...] = ()
    has_history: bool = False

    @property
    def is_past(self) -> bool:
        """Whether Redis has nothing of the job itself, so that only the history can say how it ended."""
        return not (self.place or self.ended or self.dead_letter or self.unreadable) and self.payload == "missing"

    @property
    def failure(self) -> Failure | None:
        """How the latest of its earlier tries ended."""
        return self.failures[-1] if self.failures else None

    @property
    def pause(self) -> Pause | None:
        """What keeps this job from being started: the pause of its queue, or else that of its function."""
        named = {("queue", self.place.queue if self.place else None), ("function", self.function)}
        return next((it for it in self.pauses if (it.kind, it.name) in named), None)

    def serving(self, queue: str) -> list[Heartbeat]:
        """Return the workers of a queue that were heard lately, ready or not."""
        return [worker for worker, age_s in self.workers if queue in worker.queues and age_s <= STALE_AFTER_S]


async def read_job_facts(redis: "Redis[bytes]", codec: Codec, job_id: str, queues: Sequence[str] = ()) -> JobFacts:
    """Return what Redis knows of the job, on this project's queues, on `queues`, and on those of the workers.

    One round trip; a further one if only workers know the job's queue, and two for its batch. Their cost does not
    grow with what waits. Raises redis-py's errors, also if a key that all jobs share has another type.
    """
    known = tuple(dict.fromkeys((*QUEUES, *queues)))
    facts, batch_id = await _read(redis, codec, job_id, known)
    if facts.place is None and facts.payload == "stored":
        served = [queue for worker, _ in facts.workers for queue in worker.queues]
        more = tuple(dict.fromkeys((*known, *served)))
        if more != known:
            facts, batch_id = await _read(redis, codec, job_id, more)
    if batch_id:
        return replace(facts, batch=await _read_batch(redis, batch_id, job_id))
    return facts


async def _read(redis: "Redis[bytes]", codec: Codec, job_id: str, queues: tuple[str, ...]) -> tuple[JobFacts, str]:
    """Return the facts without the batch, and the id of the batch, empty if there is none."""
    script = redis.register_script(script_source("job_facts"))
    shared = (keys.LEASES, keys.CRASHES, keys.ABORT, keys.DEAD, keys.DEAD_INDEX, keys.WORKERS, keys.UNKNOWN)
    # An id that is not UTF-8 came from the command line with its bytes as surrogates.
    stored_id = job_id.encode(errors="surrogateescape")
    answer = await script(keys=[*shared, *queues], args=[stored_id, _LARGEST_READ])
    now_ms, seconds, kind, size, envelope, result, has_result, tries, failures, dead_letter, dead_ms = answer[:11]
    owner, holder, crashes, abort_ms, heartbeats, unknown, paused, *places = answer[11:]
    call = _read_call(codec, envelope, job_id)
    ended, unreadable = _read_ended(codec, result, job_id, has_result=bool(has_result))
    function = call.get("f") or (ended.function if ended else None) or _function_in(job_id)
    now = datetime.fromtimestamp(int(seconds), UTC)
    found = parse_heartbeats(heartbeats[1::2])
    facts = JobFacts(
        job_id=job_id,
        now_ms=now_ms,
        queues=queues,
        function=function,
        enqueued_ms=call.get("et") or (ended.enqueued_ms if ended else None),
        payload=cast(Literal["missing", "stored", "foreign"], kind.decode()),
        payload_bytes=size if size >= 0 else None,
        place=_read_place(queues, places[0]) if places else None,
        owner=worker_of(_text(owner)) if owner else None,
        is_held=holder not in (None, _ENDED),
        tries=int(tries) if tries and _COUNTER.fullmatch(tries) else 0,
        failures=tuple(failure for stored in failures if (failure := _read_failure(stored)) is not None),
        crashes=_read_crashes(crashes),
        abort_ms=None if abort_ms is None else float(abort_ms),
        ended=ended,
        unreadable=unreadable,
        dead_letter=read_dead_letter(job_id, dead_letter) if dead_letter else None,
        dead_ms=None if dead_ms is None else float(dead_ms),
        unknown_ms=_last_met(function, unknown),
        pauses=tuple(parse_pauses(dict(zip(paused[::2], paused[1::2], strict=True)) if paused else {})),
        workers=tuple((worker, worker.age_s(now)) for worker in sorted(found, key=lambda it: it.started_at)),
    )
    return facts, _batch_of(call, job_id)


async def _read_batch(redis: "Redis[bytes]", batch_id: str, job_id: str) -> JobBatch | None:
    store = BatchStore(redis)
    try:
        progress = await store.progress(batch_id)
    except BatchNotFound:
        return None
    return JobBatch(progress, await store.job_outcome(batch_id, job_id))


def _read_call(codec: Codec, envelope: bytes | None, job_id: str) -> dict[str, Any]:
    """Return an envelope's fields; none if it was not read, or is not one of this job."""
    try:
        message = codec.decode(envelope or b"")
        check_job_id(message, job_id)
    except InvalidEnvelope:
        return {}
    return message


def _read_ended(
    codec: Codec, result: bytes | None, job_id: str, *, has_result: bool
) -> tuple[EndedJob | None, str]:
    """Return how a job ended, or why its result cannot be read; neither if there is none."""
    if result is not None:
        try:
            return EndedJob.of(read_result(codec, result, job_id)), ""
        except InvalidEnvelope as error:
            return None, str(error)
    return None, f"{job_id}: its result key does not hold a string" if has_result else ""


def _read_place(queues: Sequence[str], place: Sequence[Any]) -> Place:
    position, due_ms, ahead, lease_ms = (*place, None)[:4]
    return Place(queues[position - 1], float(due_ms), ahead, None if lease_ms is None else float(lease_ms))


def _read_failure(stored: bytes) -> Failure | None:
    try:
        return Failure.model_validate_json(stored)
    except ValidationError:
        return None


def _read_crashes(stored: bytes | None) -> int:
    entry = _CRASHES.match(_text(stored or b""))
    return int(entry[1]) if entry else 0


def _last_met(function: str | None, unknown: Sequence[bytes]) -> float | None:
    """Return when a worker last met a function and did not have it, from names and times in turn."""
    times = {_text(name): float(at_ms) for name, at_ms in zip(unknown[::2], unknown[1::2], strict=True)}
    return times.get(function) if function is not None else None


def _function_in(job_id: str) -> str | None:
    name = job_id.partition(":")[0]
    return name if name in JOBS else None


def _batch_of(call: dict[str, Any], job_id: str) -> str:
    """Return the id of a job's batch, from its envelope, or if that is gone or large, from the job's id."""
    batch_id = call.get("b")
    if batch_id is None:
        key = job_id.partition(":")[2]
        batch_id = key.removeprefix(BATCH_MARK).partition(":")[0] if key.startswith(BATCH_MARK) else ""
    return batch_id if isinstance(batch_id, str) and is_batch_id(batch_id) else ""


def _text(stored: bytes) -> str:
    return stored.decode(errors="backslashreplace")
