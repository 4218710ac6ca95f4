"""The errors of private servers."""

from worker.errors import ConfigurationError


class EmbeddedServerError(ConfigurationError):
    """A private server cannot be found, started or trusted. The message says how to fix it."""


class PortTakenError(EmbeddedServerError):
    """The port chosen for a private server is used by another process."""
