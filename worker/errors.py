"""The errors of the service, and what each means to a retry.

The class of an error is the whole of what `worker.engine.retry_policy` needs to know: permanent errors are never
retried, conflicts are retried soon, transient ones with a longer back-off, and an outage costs no try.
Messages never carry payloads or secrets, because they are logged, stored and shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RegistryError(Exception):
    """The root of every error that this service raises on purpose."""


class ConfigurationError(RegistryError):
    """The service cannot start as it is set up; the message names the variable and what to do."""


class PermanentError(RegistryError):
    """Trying again cannot help: the job becomes a dead letter."""


class ConflictError(RegistryError):
    """A race with another writer was lost; trying again soon is likely to succeed."""


class TransientError(RegistryError):
    """Something passing went wrong; trying again later is likely to succeed."""


class OutageError(RegistryError):
    """A store cannot be reached or cannot take writes; the job is not to blame, so no try is spent."""


class WritesRefused(OutageError):
    """A store that answers takes no writes for now: what was asked for is certain not to be there."""


@dataclass(frozen=True, slots=True)
class PayloadProblem:
    """What is wrong with one field: its path within the payload (`record.beds`) and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class InvalidPayload(PermanentError):
    """A payload breaks the contract.

    `problems` lists every field that is wrong; values are left out on purpose.
    """

    def __init__(self, subject: str, problems: Sequence[PayloadProblem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        super().__init__(f"{subject} refused: " + "; ".join(str(problem) for problem in problems))


class InvalidEnvelope(PermanentError):
    """Bytes on the queue are not a message of this service's wire format."""


class UntrustedEnvelope(InvalidEnvelope):
    """A message is unsigned, signed with an unknown key, or was changed after signing."""


class KeyUsedTwice(PermanentError):
    """An idempotency key, which names one act for good, was given to another act."""

    def __init__(self, found: str) -> None:
        super().__init__(f"{found}: an idempotency key was used twice; enqueue this act with a key of its own")


class RemoteError(RegistryError):
    """An error that ended a job in a worker, as told by the job's stored result.

    `kind` is the class name of the original error, `traceback` its text.
    """

    def __init__(self, kind: str, message: str, traceback: str = "") -> None:
        self.kind = kind
        self.message = message
        self.traceback = traceback
        super().__init__(f"{kind}: {message}")


class JobNotFound(RegistryError):
    """No job of this id is known: it was never enqueued, or its outcome has expired."""
