"""How a job ended, as the history keeps it: what a worker writes to Redis, and another one moves to MongoDB.

A trace is the record of one end. It is made once per job, so it is a plain tuple. The traces of jobs that ended
together are one text, in one of two forms:

- The JSON of a list: the worker's id, then a trace for each job, or null.
- The JSON of an object, in less than half as many bytes, if all traces have as many values: `w` is the worker's id,
  `c` a list for each value of a trace, with that value of each job in turn. A value that all have stands alone in
  place of its list. Instants count from `at`.

Readers take what they know: later versions may append values to a trace.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import orjson

Trace = tuple[Any, ...]
"""The values of a `JobEnd`, in its order."""

LONGEST_TEXT = 1_000
"""Texts of a trace are cut to so many characters if those of a group are large together; a search cuts likewise."""
LONGEST_REASON = 300
"""Characters of a trace's reason."""
# Ten times as much as usual texts of the largest group take.
_LARGEST_GROUP = 256 * 1024
_LARGEST_NUMBER = 2**53
# Where the instants are in a trace.
_INSTANTS = slice(5, 8)
# A smaller group is written faster as it is.
_FEWEST = 16


class JobEnd(NamedTuple):
    """How a job ended; instants in milliseconds since 1970, those of the worker's clock, or the producer's.

    `outcome` is `complete`, `dead` or `aborted`. `status` is that of the job's typed outcome, `error` the class of
    the error that made it a dead letter, `reason` why, without anything of the payload. `hospital_id` is what the
    job was about. Texts are empty, and numbers 0, if they are not known.
    """

    job_id: str
    function: str
    queue: str
    outcome: str
    tries: int
    enqueued_ms: int
    started_ms: int
    ended_ms: int
    status: str = ""
    error: str = ""
    reason: str = ""
    batch: str = ""
    hospital_id: str = ""

    @classmethod
    def of(cls, trace: Sequence[object]) -> Self:
        """Return what a trace says; a value that is missing or of another type counts as not known."""
        known: tuple[Any, ...] = tuple(trace[: len(_EMPTY)])
        if tuple(map(type, known)) != _TYPES[: len(known)]:
            known = tuple(
                value if type(value) is type(empty) else empty for value, empty in zip(known, _EMPTY, strict=False)
            )
        return cls(*known, *_EMPTY[len(known) :])


_EMPTY: tuple[Any, ...] = ("", "", "", "", 0, 0, 0, 0, "", "", "", "", "")
_TYPES = tuple(map(type, _EMPTY))


class PastEnd(NamedTuple):
    """An end as a search has found it: by which worker, when it was stored by Redis's clock, and its cursor.

    Cursors sort by time; a search goes on after one.
    """

    end: JobEnd
    worker: str
    stored_ms: int
    cursor: str


@dataclass(frozen=True, slots=True)
class EndGroup:
    """The ends that one call has stored: `traces` as in this module's first lines.

    Ids of groups sort by time, and no two groups have the same.
    """

    group_id: str
    stored_ms: int
    worker: str
    traces: str

    def traced(self) -> list[JobEnd]:
        """Return what the traces say; those of a text that is no group of traces are left out."""
        return [JobEnd.of(trace) for trace in _read(self.traces) if isinstance(trace, list)]

    def ends(self) -> list[PastEnd]:
        """Return the ends, the newest first; those of a text that is no group of traces are left out."""
        found = [
            PastEnd(JobEnd.of(trace), self.worker, self.stored_ms, f"{self.group_id}/{position:03}")
            for position, trace in enumerate(_read(self.traces))
            if isinstance(trace, list)
        ]
        return found[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFilter:
    """Which ends a search wants: each value that is given must be that of the end.

    `since_ms` and `until_ms` are about when the end was stored, by Redis's clock; `until_ms` is excluded.
    """

    job_id: str | None = None
    function: str | None = None
    hospital_id: str | None = None
    outcome: str | None = None
    error: str | None = None
    batch: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def values(self) -> Iterator[tuple[str, str]]:
        """Yield the fields of a `JobEnd` that are wanted, and their values."""
        for field in ("job_id", "function", "hospital_id", "outcome", "error", "batch"):
            if (value := getattr(self, field)) is not None:
                yield field, value[:LONGEST_TEXT]

    def matches(self, found: PastEnd) -> bool:
        """Whether an end is wanted."""
        return (
            (self.since_ms is None or found.stored_ms >= self.since_ms)
            and (self.until_ms is None or found.stored_ms < self.until_ms)
            and all(getattr(found.end, field) == value for field, value in self.values())
        )


def encode_traces(worker: str, traces: Sequence[Trace | None]) -> bytes:
    """Return the text of a group; texts that UTF-8 does not have, and numbers beyond its bounds, are changed."""
    try:
        text = orjson.dumps(_by_value(worker, traces) or [worker, *traces])
    except orjson.JSONEncodeError:
        text = b""
    if 0 < len(text) <= _LARGEST_GROUP:
        return text
    return orjson.dumps([worker, *(trace and [_bounded(value) for value in trace] for trace in traces)])


def _by_value(worker: str, traces: Sequence[Trace | None]) -> dict[str, Any] | None:
    """Return the shorter form of a group, or None if it is small, or its traces differ in length."""
    # Redis copies each byte several times and writes it to its file: at full speed that takes longer than this.
    known = [trace for trace in traces if trace]
    if len(known) < max(_FEWEST, len(traces)):
        return None
    try:
        columns: list[Any] = list(zip(*known, strict=True))
    except ValueError:
        return None
    if len(columns) < _INSTANTS.stop:
        return None
    at = columns[_INSTANTS.start][0]
    columns[_INSTANTS] = [[instant - at for instant in column] for column in columns[_INSTANTS]]
    columns[1:] = [column[0] if column.count(column[0]) == len(known) else column for column in columns[1:]]
    return {"w": worker, "at": at, "c": columns}


def without(traces: str, positions: frozenset[int]) -> str:
    """Return the text of a group without the traces at these positions, which begin with 1."""
    kept = [None if position in positions else trace for position, trace in enumerate(_read(traces))]
    return orjson.dumps(kept).decode()


def worker_in(traces: str) -> str | None:
    """Return the worker that a group's text names; `None` if it is not such a text."""
    worker = next(iter(_read(traces)), None)
    return worker if isinstance(worker, str) else None


def _read(traces: str) -> list[Any]:
    """Return the worker's id, then a list for each trace; nothing if the text is no group of traces."""
    try:
        read = orjson.loads(traces)
    except orjson.JSONDecodeError:
        return []
    match read:
        case list():
            return read
        case {"w": worker, "at": int(at), "c": [list(ids), *others]}:
            return [worker, *_rows([ids, *others], at)]
    return []


def _rows(columns: list[Any], at: int) -> Iterator[list[Any]]:
    """Yield the traces of a group in its shorter form."""
    count = len(columns[0])
    values = [column if isinstance(column, list) else [column] * count for column in columns]
    values[_INSTANTS] = [[at + it if isinstance(it, int) else it for it in column] for column in values[_INSTANTS]]
    return map(list, zip(*values, strict=False))


def _bounded(value: object) -> str | int:
    match value:
        case str():
            return value[:LONGEST_TEXT].encode(errors="backslashreplace").decode()
        case int():
            return max(-_LARGEST_NUMBER, min(value, _LARGEST_NUMBER))
    return ""
