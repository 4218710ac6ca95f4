"""What happens in the engine, as small facts that are sent to listeners after they have happened.

Log lines, counters and metrics are listeners; the engine itself depends on none of them.
`worker.events.subscribe(TryEnded, listener)` adds one.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from worker.contract.trace_context import TraceContext

Event = TypeVar("Event")

_log = logging.getLogger("arq.worker.engine")

JobOutcome = Literal[
    "complete",
    "dead",
    "aborted",
    "retried",
    "handed_back",
    "postponed",
    "put_aside",
    "function_unknown",
    "lease_lost",
]
"""How a try ended.

`complete`, `dead` (dead-lettered) and `aborted` end the job. `retried` spends a try unless MongoDB was unavailable;
`handed_back` (shutdown), `postponed` (suspected of killing its worker), `put_aside` (the circuit breaker of its
function is open; the function was not called) and `function_unknown` spend none.
`lease_lost`: another worker owns the job by now, and this try changed nothing in the queue.
"""


class JobStarted(NamedTuple):
    """A job's function is about to be called. A tuple, because one is made per job: see `TryEnded`.

    It is sent from the job's task: what a listener puts into context variables is there for the job. `token` and
    the job's id name the try, also in `TryEnded`. `trace_context` is what the envelope says of the caller's trace.
    """

    job_id: str
    function: str
    queue: str
    tries: int
    pickup_s: float
    token: str = ""
    trace_context: TraceContext | None = None


class TryEnded(NamedTuple):
    """A try ended, and its completion is stored.

    `function` is empty if the envelope could not be read. `pickup_s` is the time from due to started, `run_s` from
    started to ended. `error_class` and `message` are empty for a success; a message that could repeat a payload is
    left out. `reason` says why a job is dead, `delay_s` when a retried one runs again. `extra` is what the error of
    a dead job has under this name, for the filters of a log. `token` is that of `JobStarted`. A tuple, because one
    is made per job, and a frozen dataclass takes three times as long to make (1.0 and 0.3 µs).
    """

    job_id: str
    function: str
    queue: str
    outcome: JobOutcome
    tries: int
    pickup_s: float
    run_s: float
    error_class: str = ""
    message: str = ""
    reason: str = ""
    delay_s: float = 0.0
    extra: object = None
    token: str = ""


class CallStarted(NamedTuple):
    """A job's function is called with these arguments.

    They are payload: this is for listeners that a user has asked for, and made only if there is one. `label` is how
    arq names the job in its log.
    """

    label: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tries: int
    since_enqueued_s: float
    pickup_s: float


class TryDecided(NamedTuple):
    """What becomes of a job after a try was decided; it is not stored yet.

    With payload, as `CallStarted`: `result` is what the job returned, `error` what ended the try otherwise.
    `was_called` says whether the job's function was called.
    """

    label: str
    finished: TryEnded
    was_called: bool
    max_tries: int
    since_enqueued_s: float
    result: object
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class RunJobPatchFailed:
    """A patch of arq's `Worker.run_job` failed on a job, or cannot be used; jobs run without it.

    `patch` is its name. `error_class` is empty if it cannot be used.
    """

    patch: str
    error_class: str


@dataclass(frozen=True, slots=True)
class HookFailed:
    """A user's hook raised, or took too long; `stack` names places only."""

    hook: str
    job_id: str
    error_class: str
    message: str
    stack: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim came back with `jobs` of the `wanted` jobs.

    The queues in `held_back` have more due jobs than their rate lets start.
    """

    jobs: int
    wanted: int
    seconds: float
    held_back: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClaimFailed:
    """A claim failed; `code` is what Redis answered, such as READONLY, or empty."""

    error_class: str
    code: str


@dataclass(frozen=True, slots=True)
class ClaimRecovered:
    """The answer to a claim was lost; the jobs that it had leased are back in their queues."""

    jobs: int


@dataclass(frozen=True, slots=True)
class CompletionsStored:
    """One group of completions is in Redis; `refused` of them came too late and changed nothing."""

    applied: int
    refused: int
    seconds: float


@dataclass(frozen=True, slots=True)
class JobTooLargeForLink:
    """A job that was claimed alone did not arrive in time; it is deferred for `delay_s` seconds."""

    job_id: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class CompletionRefused:
    """A completion came too late: the job has another owner."""

    job_id: str


@dataclass(frozen=True, slots=True)
class CompletionDropped:
    """A completion cannot be stored. Its lease ends, and the job is delivered again."""

    job_id: str
    error_class: str
    code: str


@dataclass(frozen=True, slots=True)
class MemoryLow:
    """Redis uses most of its `maxmemory`; at the limit it refuses writes. Both numbers are in bytes."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class EvictionPolicySeen:
    """Redis has a `maxmemory-policy` that deletes keys when memory is short, jobs among them."""

    policy: str


@dataclass(frozen=True, slots=True)
class DeadLettersMoved:
    """Dead letters beyond the configured bounds are in a file now, and no longer in Redis."""

    count: int
    file: str


@dataclass(frozen=True, slots=True)
class DeadLettersNotMoved:
    """The file for dead letters beyond the bounds cannot be written; they stay in Redis."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxHeldUp:
    """Jobs stay in the outbox, or leave it later than usual; sent once until the reason changes."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutboxJobSkipped:
    """A job in the outbox cannot be enqueued. It stays there, and the later jobs of its hospital wait for it."""

    job_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxDocumentsUnreadable:
    """Documents in the outbox are not jobs. They stay there and delay nothing. Sent when their number changes."""

    count: int


@dataclass(frozen=True, slots=True)
class HistoryNotMoved:
    """Records of ended jobs cannot be moved to the history; they stay in Redis. Sent when the reason changes."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndsLeftOut:
    """`count` jobs ended while the stream of ended jobs in Redis was full; the history lacks them."""

    count: int


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A circuit breaker opened or closed. `reason` says what it opened for.

    If it is that of a `function`, only jobs of that function wait. If that is empty, all jobs run one at a time.
    """

    is_open: bool
    reason: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class ReadinessChanged:
    """The worker is not ready for the reason `why_not`, or ready again if that is empty.

    Not sent for what has an event of its own: a signal, the circuit breaker, a Redis that is unavailable.
    """

    why_not: str


@dataclass(frozen=True, slots=True)
class LivenessNotShown:
    """The file that `hospital-worker check --live` reads cannot be written, for the reason `message`."""

    message: str


@dataclass(frozen=True, slots=True)
class RedisLost:
    """Redis does not answer or refuses writes; `code` is what it answered, such as READONLY, or empty."""

    error_class: str
    code: str


@dataclass(frozen=True, slots=True)
class RedisBack:
    """Redis answers again, after `failed_calls` calls that failed."""

    failed_calls: int


@dataclass(frozen=True, slots=True)
class Starting:
    """The worker is connected to Redis and starts with these functions."""

    functions: list[str]


@dataclass(frozen=True, slots=True)
class RedisDescribed:
    """What Redis said about itself at the start of the worker, as arq writes it: `NAME=VALUE NAME=VALUE`."""

    facts: str


@dataclass(frozen=True, slots=True)
class RedisInfoFailed:
    """Redis did not answer INFO at the start of the worker, which goes on."""

    error_class: str


@dataclass(frozen=True, slots=True)
class RenewalFailed:
    """One round of lease renewals failed; the next one tries again. Sent from the renewer's thread.

    `refused` if Redis answers and does not let this user renew.
    """

    error_class: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class EventLoopBlocked:
    """The event loop has not run for `seconds`; `stack` shows where it is. Sent from the renewer's thread."""

    seconds: float
    stack: str


@dataclass(frozen=True, slots=True)
class RenewalsHeldUp:
    """No lease was renewed for `seconds`, although renewal was due: the renewer's thread did not run.

    A call held the interpreter's lock, or the process was frozen. Sent from the renewer's thread.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class EventLoopStuck:
    """The event loop has not run for `seconds`, longer than any running job may take; `stack` shows where it is.

    The worker's jobs are taken from it, and its process ends. `job_id` is the job that holds the loop; empty if
    none is known. Sent from another thread.
    """

    seconds: float
    job_id: str
    stack: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class JobIgnoresCancellation:
    """A job was cancelled long ago, because of `reason`, and runs on. Sent once for each job."""

    job_id: str
    reason: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class SlotsBlocked:
    """Jobs that ignore cancellation fill half of the `slots` or more; the worker stops, to be replaced.

    `queue` is the queue whose slots are counted; empty if all slots of the worker are.
    """

    jobs: int
    slots: int
    queue: str = ""


@dataclass(frozen=True, slots=True)
class JobLeftThread:
    """A job ended long ago, and a thread that it started runs on. Sent once for each job."""

    job_id: str


@dataclass(frozen=True, slots=True)
class ThreadsBlocked:
    """Half of the `threads` or more work for jobs that have ended; the worker stops, to be replaced."""

    left: int
    threads: int


@dataclass(frozen=True, slots=True)
class CronCaughtUp:
    """A cron job whose run was missed while no worker was up runs now."""

    job: str


@dataclass(frozen=True, slots=True)
class ShutdownStarted:
    """A signal arrived: no new jobs are claimed, and running ones have `grace_s` seconds to end."""

    signal: str
    running: int
    grace_s: float


@dataclass(frozen=True, slots=True)
class StartCancelled:
    """The worker was stopped before it served."""


@dataclass(frozen=True, slots=True)
class GracePeriodExpired:
    """The grace period is over; the jobs that still run are interrupted and handed back."""

    running: int


@dataclass(frozen=True, slots=True)
class JobsLeftBehind:
    """The worker exits with jobs that could not be handed back; they run again when their leases end."""

    jobs: int


@dataclass(frozen=True, slots=True)
class ExitForced:
    """The process is ended, because it did not end by itself; `threads` are those that it would wait for."""

    threads: list[str]


@dataclass(frozen=True, slots=True)
class ExitRefused:
    """A job, or a task that it had started, tried to end the worker: by that error, or by `loop.stop`."""

    error_class: str


@dataclass(frozen=True, slots=True)
class SignOffFailed:
    """The worker's heartbeat could not be removed; it is ignored when it is old."""

    error_class: str


class Events:
    """Sends each event to the listeners of its class, in the order in which they subscribed.

    A listener is called synchronously and must be quick. What it raises is logged and does not reach the engine.
    """

    def __init__(self) -> None:
        self._listeners: dict[type, list[Callable[[Any], None]]] = {}

    def subscribe(self, kind: type[Event], listener: Callable[[Event], None]) -> None:
        """Call `listener` with each event of the class `kind` from now on."""
        self._listeners.setdefault(kind, []).append(listener)

    def wants(self, kind: type) -> bool:
        """Whether anything listens to events of this class; if not, the sender need not make one for each job."""
        return kind in self._listeners

    def send(self, event: object) -> None:
        """Call the listeners of this class of events."""
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 (whatever a listener raises must not reach the engine)
                _log.exception("a listener failed on %s", type(event).__name__)

    def send_aside(self, event: object) -> Callable[[float | None], None]:
        """Send an event from a thread of its own: the log may be a full pipe, whose reader hangs.

        Returns a function that waits until it is sent, for so many seconds at most.
        """
        thread = threading.Thread(target=self.send, args=(event,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # At the very end of the interpreter no thread starts. The sender has more important things to do.
            return lambda _: None
        return thread.join
