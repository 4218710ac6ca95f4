"""The spans of a worker's jobs: one for each try, linked to the span that enqueued the job."""

from typing import Protocol

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from worker.contract.trace_context import TraceContext
from worker.tracing import attributes
from worker.tracing.command_spans import CommandSpans


class StartedTry(Protocol):
    """What this needs of the engine's event `JobStarted`."""

    @property
    def job_id(self) -> str: ...  # noqa: D102 (as in the event)
    @property
    def function(self) -> str: ...  # noqa: D102
    @property
    def queue(self) -> str: ...  # noqa: D102
    @property
    def tries(self) -> int: ...  # noqa: D102
    @property
    def token(self) -> str: ...  # noqa: D102
    @property
    def trace_context(self) -> TraceContext | None: ...  # noqa: D102


class EndedTry(Protocol):
    """What this needs of the engine's event `TryEnded`."""

    @property
    def job_id(self) -> str: ...  # noqa: D102 (as in the event)
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def error_class(self) -> str: ...  # noqa: D102
    @property
    def delay_s(self) -> float: ...  # noqa: D102
    @property
    def token(self) -> str: ...  # noqa: D102


class JobSpans:
    """Makes the spans of the tries whose function is called.

    Each begins a trace of its own; with `parent`, it goes on in the trace in which the job was enqueued. A link to
    the span that enqueued the job is there either way.
    """

    def __init__(self, tracer: Tracer, commands: CommandSpans, *, parent: bool) -> None:
        self._tracer = tracer
        self._commands = commands
        self._parent = parent
        self._propagator = TraceContextTextMapPropagator()
        # By the job's id and the token of its claim: a job that has lost its lease may run here twice at once.
        self._open: dict[tuple[str, str], Span] = {}

    def job_started(self, event: StartedTry) -> None:
        """Begin the span of a try, and make it the current one of the running task, which is the job's."""
        origin = self._origin(event.trace_context)
        sender = trace.get_current_span(origin).get_span_context()
        facts = attributes.of_queue("process", event.queue, event.function)
        span = self._tracer.start_span(
            f"process {event.queue}",
            # Not `None`, which would stand for the context in which the worker was started.
            context=origin if self._parent else Context(),
            kind=SpanKind.CONSUMER,
            attributes={**facts, attributes.MESSAGE_ID: event.job_id, attributes.TRY: event.tries},
            links=[Link(sender)] if sender.is_valid else (),
        )
        # Never detached: the task has a context of its own and ends with the job.
        context.attach(trace.set_span_in_context(span))
        self._open[event.job_id, event.token] = span

    def try_ended(self, event: EndedTry) -> None:
        """End the span of a try. There is none if its function was not called."""
        span = self._open.pop((event.job_id, event.token), None)
        if span is None:
            return
        self._commands.end_within(span)
        span.set_attribute(attributes.OUTCOME, event.outcome)
        if event.outcome == "retried":
            span.set_attribute(attributes.RETRY_DELAY_S, event.delay_s)
        if event.error_class:
            # Without a description: the message of another library's error can repeat a payload.
            span.set_attribute(attributes.ERROR_TYPE, event.error_class)
            span.set_status(StatusCode.ERROR)
        span.end()

    def _origin(self, sent: TraceContext | None) -> Context:
        """Return the context of the span that enqueued a job; an empty one if that is not known, or malformed."""
        if sent is None:
            return Context()
        carrier = {"traceparent": sent.traceparent, "tracestate": sent.tracestate}
        return self._propagator.extract(carrier, Context())
