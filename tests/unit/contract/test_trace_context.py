from typing import Any

import pytest

from worker.contract.trace_context import TraceContext, read_trace_context

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"traceparent": PARENT}, TraceContext(PARENT)),
        ({"traceparent": PARENT, "tracestate": "vendor=1"}, TraceContext(PARENT, "vendor=1")),
        ({"traceparent": PARENT, "tracestate": "x" * 513}, TraceContext(PARENT)),
        ({"traceparent": PARENT, "tracestate": {"vendor": 1}}, TraceContext(PARENT)),
        ({"tracestate": "vendor=1"}, None),
        ({"traceparent": None}, None),
        ({"traceparent": 7}, None),
        ({"traceparent": [PARENT]}, None),
        ({"traceparent": "0" * 129}, None),
    ],
)
def test_what_is_no_trace_context_is_ignored(fields: dict[str, Any], expected: TraceContext | None) -> None:
    assert read_trace_context(fields) == expected
