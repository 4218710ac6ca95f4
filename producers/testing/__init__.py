"""Doubles and helpers for the tests of services that use this worker; `producers.testing.plugin` has the fixtures.

`RecordingProducer` needs no server. Everything else runs on a private MongoDB, which the extra `embedded` brings.

This package alone may import `worker.jobs`, `worker.mongo` and the drivers: it runs the real jobs. No other module
imports it, so it costs a service nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producers.testing.command_log import CommandLog, LoggedCommand
    from producers.testing.inline import InlineProducer
    from producers.testing.private_mongo import PrivateMongo
    from producers.testing.recording import RecordedJob, RecordingProducer
    from producers.testing.transaction_faults import TransactionFaults

__all__ = [
    "CommandLog",
    "InlineProducer",
    "LoggedCommand",
    "PrivateMongo",
    "RecordedJob",
    "RecordingProducer",
    "TransactionFaults",
]

_MODULES = {
    "CommandLog": "command_log",
    "InlineProducer": "inline",
    "LoggedCommand": "command_log",
    "PrivateMongo": "private_mongo",
    "RecordedJob": "recording",
    "RecordingProducer": "recording",
    "TransactionFaults": "transaction_faults",
}


def __getattr__(name: str) -> object:
    """Import a class when it is used first: pytest imports this package in every run of a user's tests."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Takes a few milliseconds, which only those who use it pay.
    from importlib import import_module  # noqa: PLC0415

    found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found
