"""Enqueues jobs of the hospital registry for other services and for the command line, and reads their outcomes.

`HospitalProducer` is for code with an event loop, `SyncHospitalProducer` for any other.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producers.client import HospitalProducer
    from producers.sync import SyncHospitalProducer

__all__ = ["HospitalProducer", "SyncHospitalProducer"]


def __getattr__(name: str) -> object:
    """Import a client when it is used first: most modules of this package need none."""
    if name == "HospitalProducer":
        from producers.client import HospitalProducer  # noqa: PLC0415

        return HospitalProducer
    if name == "SyncHospitalProducer":
        from producers.sync import SyncHospitalProducer  # noqa: PLC0415

        return SyncHospitalProducer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
