"""Which dead letters a command, a page or an operation is about."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from worker.queue.dead_letter import DeadLetter

_INSTANTS = frozenset({"since", "until"})


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Selects dead letters by function, class of error, queue, when they failed, and a text in their reason.

    `None` selects all; `since` is included, `until` is not.
    """

    function: str | None = None
    error: str | None = None
    queue: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None

    def has(self, dead_letter: DeadLetter) -> bool:
        """Whether this selects a dead letter."""
        failure = dead_letter.failure
        return (
            self.function in (None, dead_letter.function)
            and self.error in (None, failure.type)
            and self.queue in (None, dead_letter.queue)
            and (self.since is None or failure.at_ms >= self.since.timestamp() * 1000)
            and (self.until is None or failure.at_ms < self.until.timestamp() * 1000)
            and (self.text is None or self.text.casefold() in dead_letter.reason.casefold())
        )

    def as_text(self) -> dict[str, str]:
        """Return what is selected by, as `of_text` takes it; empty if everything is."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
            if value is not None
        }

    @classmethod
    def of_text(cls, stored: Mapping[str, str]) -> "DeadLetterFilter":
        """Return the filter that `as_text` made; raises `ValueError` for anything else."""
        known = {field.name for field in fields(cls)}
        if not stored.keys() <= known:
            raise ValueError("not a filter of this version")
        instants = {
            name: datetime.fromisoformat(stored[name]).astimezone(UTC) for name in _INSTANTS & stored.keys()
        }
        texts = {name: value for name, value in stored.items() if name not in _INSTANTS}
        return cls(**texts, **instants)  # type: ignore[arg-type]
