"""One answer for each idempotency key, whatever happens to the hospital after it was given.

A job that changed a hospital finds its change again (`worker.mongo.memory`), and derives its answer from it. A job
that changed nothing leaves no such trace: a second decision could change what the first had refused to change. So
its answer is stored before it is returned, if the call may be repeated. Jobs without an idempotency key pay nothing
for this.

If two deliveries run at the same time, the first stored answer counts for both, except that a change counts more
than an answer that nothing was changed.
"""

import zlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel

from worker.contract import (
    ChunkOutcome,
    CorrectHospital,
    CorrectionOutcome,
    DiscardHospital,
    DiscardOutcome,
    HospitalRecord,
    IngestOutcome,
    Rejection,
    has_key,
)
from worker.errors import ConflictError, KeyUsedTwice
from worker.mongo.client import MongoHandle
from worker.mongo.memory import NOTHING

# An answer with one of these can be derived from what the job left behind.
_CHANGES = frozenset({"created", "merged", "replaced", "corrected", "discarded"})
# The answer of a chunk is of all its hospitals; no hospital has an empty identity.
_WHOLE_CHUNK = ""
# Each try fails only if another delivery of the job stores something between two commands of this one.
_TRIES = 5
# The statuses of a full chunk take 100 bytes; of invalid records each may have a hundred problems.
_MOST_PROBLEMS = 2_000

OfOne = TypeVar("OfOne", IngestOutcome, CorrectionOutcome, DiscardOutcome)
_Outcome = TypeVar("_Outcome", IngestOutcome, CorrectionOutcome, DiscardOutcome, ChunkOutcome)


async def answer_once(
    mongo: MongoHandle,
    job_id: str,
    request: HospitalRecord | CorrectHospital | DiscardHospital,
    outcome: type[OfOne],
    act: Callable[[], Awaitable[OfOne]],
) -> OfOne:
    """Return what the job has answered before; otherwise act, and keep the answer if nothing was changed.

    `act` must be idempotent by the job's id. Raises `KeyUsedTwice` if the job's answer is about another hospital,
    `ConflictError` if other deliveries of the job kept answering, and the other errors of `worker.mongo.errors`.
    """
    if not has_key(job_id):
        return await act()
    hospital_id = request.hospital_id
    for _ in range(_TRIES):
        remembered = await mongo.memory.recall(job_id)
        if any(known.answer is not None for other, known in remembered.items() if other != hospital_id):
            raise KeyUsedTwice(f"job {job_id} has already answered about another hospital")
        known = remembered.get(hospital_id, NOTHING)
        if known.answer is not None:
            answer = _read(mongo, outcome, known.answer)
        else:
            answer = await act()
            if answer.status in _CHANGES:
                return answer
            if not await mongo.memory.remember_answer(
                job_id, hospital_id, _written(answer), discarded=known.discarded
            ):
                continue
        # Another delivery may have changed the hospital, before or after this answer was stored.
        return await act() if await mongo.memory.has_changed(job_id, hospital_id) else answer
    raise _kept_answering(job_id)


async def answer_chunk_once(
    mongo: MongoHandle, job_id: str, act: Callable[[], Awaitable[ChunkOutcome]]
) -> ChunkOutcome:
    """Return what the chunk has answered before; otherwise act and keep the answer, also if records were applied.

    If the chunk has very many problems, the answer has the first problem of each invalid record only. `act` and
    errors are those of `answer_once`, except that nothing is known about other hospitals.
    """
    if not has_key(job_id):
        return await act()
    known = await mongo.memory.recall_one(job_id, _WHOLE_CHUNK)
    if known.answer is not None:
        return _read(mongo, ChunkOutcome, known.answer)
    answer = _bounded(await act())
    for _ in range(_TRIES):
        if await mongo.memory.remember_answer(job_id, _WHOLE_CHUNK, _written(answer), instead_of=known.answer):
            return answer
        known = await mongo.memory.recall_one(job_id, _WHOLE_CHUNK)
        if known.answer is not None:
            first = _read(mongo, ChunkOutcome, known.answer)
            # The delivery that ended last has seen the changes of both.
            if _count_changes(first) >= _count_changes(answer):
                return first
    raise _kept_answering(job_id)


def _kept_answering(job_id: str) -> ConflictError:
    return ConflictError(f"other deliveries of job {job_id} kept storing what it answers")


def _count_changes(answer: ChunkOutcome) -> int:
    return sum(status in _CHANGES for status in answer.statuses)


def _bounded(answer: ChunkOutcome) -> ChunkOutcome:
    if sum(len(rejection.problems) for rejection in answer.rejections) <= _MOST_PROBLEMS:
        return answer
    first = [Rejection(index=each.index, problems=each.problems[:1]) for each in answer.rejections]
    return answer.model_copy(update={"rejections": first})


def _written(answer: BaseModel) -> bytes:
    # A token belongs to one delivery. Compression makes 100 bytes of a thousand statuses.
    return zlib.compress(answer.model_dump_json(exclude={"token"}).encode())


def _read(mongo: MongoHandle, outcome: type[_Outcome], answer: bytes) -> _Outcome:
    stored = outcome.model_validate_json(zlib.decompress(answer))
    return stored.model_copy(update={"token": mongo.latest_token()})
