"""The fixtures of the plugin, which is there by its entry point only where the package is installed."""

from producers.testing.plugin import (
    command_log,
    inline_producer,
    private_mongo,
    recording_producer,
    transaction_faults,
)

__all__ = ["command_log", "inline_producer", "private_mongo", "recording_producer", "transaction_faults"]
