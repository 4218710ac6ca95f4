"""The errors of the service: what each means for a retry, and what a caller or an operator does about it.

`worker.engine.retry_policy` decides by the class of an error alone: permanent errors are never retried, conflicts
are retried soon, transient errors with a longer back-off, refused operations with the longest, and an outage costs
no try. Messages never carry payloads or secrets, because they are logged, stored and shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SHARED_DEPENDENCY = "MongoDB"
"""What every job of this service needs."""
_LONGEST_NAME = 200
# Not `type(error).__name__`, which a metaclass may answer in its own way, or not at all.
_name_of = vars(type)["__name__"].__get__


def class_name(error: BaseException) -> str:
    """Return the name of an error's class, at most 200 characters of it: a job can make classes of any name."""
    name: str = _name_of(type(error))
    return name[:_LONGEST_NAME]


class RegistryError(Exception):
    """The base of every error that this service raises on purpose. Catch it to handle all of them in one place."""


class ConfigurationError(RegistryError):
    """The configuration cannot work, so retrying cannot help.

    The message names the setting and what to do; an operator changes it and restarts the process.
    """


class PermanentError(RegistryError):
    """Retrying cannot help: a job that raises this is dead-lettered immediately.

    A caller corrects its call. An operator reads the error in the dead letter, fixes the cause, then retries or
    discards the dead letter.
    """


class ConflictError(RegistryError):
    """A race with another writer was lost, and a retry is likely to succeed.

    The worker retries the job soon, so a caller does nothing. If the tries run out, an operator retries the dead
    letter.
    """


class TransientError(RegistryError):
    """A transient error: a later retry is likely to succeed.

    The worker retries the job with a longer back-off, so a caller does nothing. If the tries run out, an operator
    looks for the cause and retries the dead letter.
    """


class OutageError(RegistryError):
    """Redis or MongoDB cannot be reached, or cannot take writes. The job is not the cause, so no try is spent.

    An operator restores the server; the worker then continues automatically. A caller that gets this error from
    `enqueue` does not know whether Redis took the job: it calls again with the same idempotency key, which is safe.

    `dependency` names what is unavailable. The default is the one that all jobs share, and its outage may stop a
    worker's claims. A job that needs a service of its own names that (`OutageError("...", dependency="geocoder")`):
    its outage stops only the jobs of the same function.
    """

    dependency: str = SHARED_DEPENDENCY

    def __init__(self, *args: object, dependency: str | None = None) -> None:
        if dependency is not None:
            self.dependency = dependency
        super().__init__(*args)


class OperationRefused(RegistryError):
    """MongoDB answers, but refuses an operation until an operator changes something, such as a role or a password.

    The worker retries the job with the longest back-off, so that it survives a change that is being rolled out. The
    message and the reason of the dead letter say what to change; afterwards an operator retries the dead letter.
    """


class WritesRefused(OutageError):
    """A server answers but refuses writes for now, so the requested write has certainly not happened.

    The message has the server's error code, such as `OOM` (memory is full) or `READONLY` (a replica). An operator
    removes the cause; a caller may then call again, with or without the same idempotency key.
    """


@dataclass(frozen=True, slots=True)
class PayloadProblem:
    """One invalid field: its path within the payload (`record.beds`) and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class InvalidPayload(PermanentError):
    """A payload breaks the contract. A caller corrects the fields that the error lists, and calls again.

    `problems` lists every invalid field; values are left out on purpose.
    """

    def __init__(self, subject: str, problems: Sequence[PayloadProblem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        super().__init__(f"{subject} refused: " + "; ".join(str(problem) for problem in problems))


class InvalidEnvelope(PermanentError):
    """Bytes in Redis are not a message of this service's wire format (`docs/protocol.md`).

    A job with such bytes is dead-lettered; a caller that waits for such a result gets this error. An operator finds
    the program that wrote the bytes, so that its developers can fix it.
    """


class UntrustedEnvelope(InvalidEnvelope):
    """A message is unsigned, signed with an unknown key, or was changed after signing.

    An operator checks that the producer and the worker share a key in `QUEUE_SIGNING_KEYS`. If they do, another
    program writes to this Redis, or changes its data.
    """


class KeyUsedTwice(PermanentError):
    """An idempotency key was used again for a different operation; a key permanently identifies one operation.

    Enqueueing raises it while the queue knows what the key was used for, and nothing is enqueued. After that, a job
    that finds the traces of the first operation is dead-lettered with it. A caller enqueues the second operation
    with its own key.
    """

    def __init__(self, found: str) -> None:
        super().__init__(f"{found}: an idempotency key was used twice; enqueue this operation with its own key")


class QueueFull(RegistryError):
    """As many jobs wait on a queue as `QUEUE_BOUNDS` lets wait there, and a job was not enqueued.

    `waiting` is how many wait, `bound` how many may. `enqueued` is how many jobs of the same call were enqueued:
    its first ones, and no other. A caller calls again later, or sheds the work; an operator finds out why jobs do
    not end as fast as they come (`hospital-worker queue`).
    """

    def __init__(self, queue: str, waiting: int, bound: int, enqueued: int = 0) -> None:
        self.queue = queue
        self.waiting = waiting
        self.bound = bound
        self.enqueued = enqueued
        done = f"only the first {enqueued:,} of this call were enqueued" if enqueued else "nothing was enqueued"
        super().__init__(f"{queue} is full: {waiting:,} jobs wait, and {bound:,} may; {done}")

    def after(self, enqueued: int) -> "QueueFull":
        """Return this error of a call that had enqueued so many jobs before."""
        return QueueFull(self.queue, self.waiting, self.bound, enqueued + self.enqueued)


class RemoteError(RegistryError):
    """A job failed in a worker; this error is built from the job's stored result or its dead letter.

    `kind` is the class name of the original error, `traceback` its text. Waiting longer does not help. If the job
    is a dead letter, an operator fixes the cause and retries it, or discards it.
    """

    def __init__(self, kind: str, message: str, traceback: str = "") -> None:
        self.kind = kind
        self.message = message
        self.traceback = traceback
        super().__init__(f"{kind}: {message}")


class JobNotFound(RegistryError):
    """No job with this id is known: it was never enqueued, or its outcome has expired.

    A caller checks the id, and asks for outcomes within `WORKER_KEEP_RESULT` seconds.
    """


class BatchNotFound(RegistryError):
    """No batch with this id is known: it was never created, or it ended more than 30 days ago.

    A caller checks the id.
    """


class BatchClosed(RegistryError):
    """A batch that is sealed or cancelled takes no job that it does not have, and no job of the call was enqueued.

    A caller adds the job to another batch, or enqueues it without one.
    """
