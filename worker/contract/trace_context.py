"""The trace in which a job was enqueued, as its envelope has it: the fields of W3C Trace Context."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# Version 00 has 55 characters, and a later version may append to them.
_LONGEST_PARENT = 128
# What the recommendation asks everybody to pass on.
_LONGEST_STATE = 512


class TraceContext(NamedTuple):
    """The span that enqueued a job: `traceparent` and `tracestate` of an envelope, unchecked but for their size."""

    traceparent: str
    tracestate: str = ""


def read_trace_context(message: Mapping[str, Any]) -> TraceContext | None:
    """Return the trace context of a decoded envelope; `None` if it has none, or what cannot be one.

    A job never fails for it: earlier versions ignored these fields, whatever was in them.
    """
    parent = message.get("traceparent")
    if not isinstance(parent, str) or len(parent) > _LONGEST_PARENT:
        return None
    state = message.get("tracestate")
    return TraceContext(parent, state if isinstance(state, str) and len(state) <= _LONGEST_STATE else "")
