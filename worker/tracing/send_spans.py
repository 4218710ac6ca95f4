"""The spans of a producer: one for each call that enqueues jobs, whose context goes with the jobs."""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from worker.errors import class_name
from worker.tracing import attributes


class SendSpans:
    """Makes the spans of one producer, with the tracer provider that the process has, whenever that was set."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(attributes.TRACER)
        # Whatever other formats the service uses: these are the fields of the envelope.
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def sending(self, queue: str, function: str) -> Iterator[Callable[[Sequence[str]], None]]:
        """Within this, the span of a call that enqueues jobs of one function is the current one.

        Yields what takes the ids of the jobs once they are enqueued. An error ends the span with the name of its
        class: its message can repeat what the caller gave.
        """
        with self._tracer.start_as_current_span(
            f"send {queue}",
            kind=SpanKind.PRODUCER,
            attributes=attributes.of_queue("send", queue, function),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            def sent(job_ids: Sequence[str]) -> None:
                if len(job_ids) == 1:
                    span.set_attribute(attributes.MESSAGE_ID, job_ids[0])
                else:
                    span.set_attribute(attributes.MESSAGE_COUNT, len(job_ids))

            try:
                yield sent
            except BaseException as error:
                span.set_attribute(attributes.ERROR_TYPE, class_name(error))
                span.set_status(StatusCode.ERROR)
                raise

    def add_to(self, message: MutableMapping[str, Any]) -> None:
        """Write the context of the current span into an envelope, if there is a span."""
        self._propagator.inject(message)
