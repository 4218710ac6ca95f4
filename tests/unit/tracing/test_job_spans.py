import contextvars
from typing import NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.spans import KeptSpans, attributes_of, span_id, trace_id
from worker.contract.trace_context import TraceContext
from worker.tracing.command_spans import CommandSpans
from worker.tracing.job_spans import JobSpans

TRACE, SENDER = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
SENT = TraceContext(f"00-{TRACE:032x}-{SENDER:016x}-01", "vendor=1")
PROCESS = "process arq:queue"


class Started(NamedTuple):
    """What `JobSpans` needs of the engine's event `JobStarted`."""

    job_id: str = "ingest:1"
    function: str = "ingest"
    queue: str = "arq:queue"
    tries: int = 1
    token: str = "claim-1"
    trace_context: TraceContext | None = SENT


class Ended(NamedTuple):
    """What `JobSpans` needs of the engine's event `TryEnded`."""

    job_id: str = "ingest:1"
    outcome: str = "complete"
    error_class: str = ""
    delay_s: float = 0.0
    token: str = "claim-1"


def job_spans(kept: KeptSpans, *, parent: bool = False) -> JobSpans:
    return JobSpans(kept.tracer, CommandSpans(kept.tracer), parent=parent)


def run(jobs: JobSpans, started: Started | None = None, ended: Ended | None = None) -> None:
    """Run a try as the engine does: in a context of its own."""

    def step() -> None:
        jobs.job_started(started or Started())
        jobs.try_ended(ended or Ended())

    contextvars.copy_context().run(step)


def test_a_try_is_a_trace_of_its_own_linked_to_the_span_that_enqueued_the_job() -> None:
    kept = KeptSpans()
    with kept.tracer.start_as_current_span("the worker's own start"):
        run(job_spans(kept))

    span = kept.named(PROCESS)
    assert (span.kind, span.parent, span.status.status_code) == (SpanKind.CONSUMER, None, StatusCode.UNSET)
    assert trace_id(span) != TRACE
    (link,) = span.links
    assert (link.context.trace_id, link.context.span_id) == (TRACE, SENDER)
    assert attributes_of(span) == {
        "messaging.system": "arq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "arq:queue",
        "messaging.message.id": "ingest:1",
        "hospital.job.function": "ingest",
        "hospital.job.try": 1,
        "hospital.job.outcome": "complete",
    }


def test_with_parent_a_try_goes_on_in_the_trace_of_the_call() -> None:
    kept = KeptSpans()
    run(job_spans(kept, parent=True))

    span = kept.named(PROCESS)
    assert span.parent is not None
    assert (trace_id(span), span.parent.span_id) == (TRACE, SENDER)
    assert span.parent.trace_state.to_header() == "vendor=1"
    assert [link.context.span_id for link in span.links] == [SENDER]


@pytest.mark.parametrize(
    "sent",
    [
        None,
        TraceContext(""),
        TraceContext("00-not-hexadecimal-01"),
        TraceContext(f"00-{0:032x}-{SENDER:016x}-01"),
        TraceContext(f"ff-{TRACE:032x}-{SENDER:016x}-01"),
    ],
)
@pytest.mark.parametrize("parent", [False, True])
def test_without_a_valid_trace_context_a_try_has_neither_link_nor_parent(
    sent: TraceContext | None, parent: bool
) -> None:
    kept = KeptSpans()
    run(job_spans(kept, parent=parent), Started(trace_context=sent))

    assert (kept.named(PROCESS).links, kept.named(PROCESS).parent) == ((), None)


def test_the_span_is_the_current_one_of_the_job_alone() -> None:
    kept = KeptSpans()
    jobs, task = job_spans(kept), contextvars.copy_context()
    task.run(jobs.job_started, Started())
    seen = task.run(trace.get_current_span).get_span_context().span_id
    assert not trace.get_current_span().get_span_context().is_valid
    # A job that does not stop is ended from another task.
    jobs.try_ended(Ended(outcome="handed_back"))

    assert span_id(kept.named(PROCESS)) == seen


def test_each_try_has_its_own_span_with_its_outcome() -> None:
    kept = KeptSpans()
    jobs = job_spans(kept)
    run(jobs, ended=Ended(outcome="retried", error_class="OutageError", delay_s=1.5))
    run(jobs, Started(tries=2, token="claim-2"), Ended(outcome="dead", error_class="ValueError", token="claim-2"))

    first, second = kept.ended()
    assert [attributes_of(span)["hospital.job.try"] for span in (first, second)] == [1, 2]
    assert trace_id(first) != trace_id(second)
    assert attributes_of(first)["hospital.job.retry_delay_seconds"] == 1.5
    assert [attributes_of(span)["hospital.job.outcome"] for span in (first, second)] == ["retried", "dead"]
    assert [attributes_of(span)["error.type"] for span in (first, second)] == ["OutageError", "ValueError"]
    # No text of an error, which can repeat a payload.
    assert [(span.status.status_code, span.status.description, span.events) for span in (first, second)] == [
        (StatusCode.ERROR, None, ()),
        (StatusCode.ERROR, None, ()),
    ]


def test_a_job_that_runs_twice_at_once_has_two_spans() -> None:
    kept = KeptSpans()
    jobs = job_spans(kept)
    for token in ("claim-1", "claim-2"):
        contextvars.copy_context().run(jobs.job_started, Started(token=token))
    jobs.try_ended(Ended(token="claim-2"))
    jobs.try_ended(Ended(token="claim-1", outcome="lease_lost"))

    assert [attributes_of(span)["hospital.job.outcome"] for span in kept.ended()] == ["complete", "lease_lost"]


def test_a_try_whose_function_was_not_called_has_no_span() -> None:
    kept = KeptSpans()
    job_spans(kept).try_ended(Ended(outcome="dead", error_class="UntrustedEnvelope"))

    assert kept.ended() == []


def test_a_try_that_is_not_sampled_costs_no_span_and_ends_like_any_other() -> None:
    kept = KeptSpans(sampler=ALWAYS_OFF)
    jobs = job_spans(kept)
    run(jobs)

    assert kept.ended() == []
    assert jobs._open == {}
