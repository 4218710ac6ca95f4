"""What goes wrong with a private server."""

from worker.errors import ConfigurationError


class EmbeddedServerError(ConfigurationError):
    """A private server cannot be found, started or trusted. The message says what mends it."""


class PortTakenError(EmbeddedServerError):
    """The port meant for a private server belongs to another process."""
