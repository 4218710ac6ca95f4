"""What the extra `otel` installs, and what to do if it is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.errors import ConfigurationError

_PACKAGES = frozenset({"google", "opentelemetry", "requests"})


@contextmanager
def needs_extra() -> Iterator[None]:
    """Make an import within this raise `ConfigurationError` if a package of the extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        raise ConfigurationError(
            f"QUEUE_TRACING needs {error.name}: pip install 'hospital-registry-worker[otel]', or set it to off"
        ) from None
