"""The spans of MongoDB commands: one for each command that is sent within a job.

Not `opentelemetry-instrumentation-pymongo`: it makes the server's message the status of a failed command, and
that of a duplicate key repeats the key.
"""

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from pymongo import monitoring

from worker.tracing import attributes


class CommandSpans(monitoring.CommandListener):
    """Listens to the driver. The names of commands and collections are kept, and nothing of their content.

    Motor runs each command in a thread, and PyMongo's asynchronous client in the job's task; the job's span is the
    current one in both.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        # By the span around them, and then by request.
        self._open: dict[int, dict[int, Span]] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Begin a span, unless the command belongs to no span, or to one that is not recorded."""
        around = trace.get_current_span()
        if not around.is_recording():
            return
        span = self._tracer.start_span(_name(event), kind=SpanKind.CLIENT, attributes=_facts(event))
        self._open.setdefault(around.get_span_context().span_id, {})[event.request_id] = span

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """End the span of a command."""
        span = self._take(event.request_id)
        if span is not None:
            span.end()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """End the span of a command with the code of the server's error, or the class of the driver's."""
        span = self._take(event.request_id)
        if span is None:
            return
        failure = event.failure or {}
        code, name = failure.get("code"), failure.get("codeName") or failure.get("errtype")
        if code is not None:
            span.set_attribute("db.response.status_code", str(code))
        span.set_attribute(attributes.ERROR_TYPE, str(name or code or "_OTHER"))
        span.set_status(StatusCode.ERROR)
        span.end()

    def end_within(self, around: Span) -> None:
        """End the spans of the commands within `around`, which ends now.

        The driver does not report the end of a command whose task was cancelled, and a read that several jobs share
        may go on for the others.
        """
        commands = self._open.pop(around.get_span_context().span_id, {})
        for request_id in list(commands):
            # Taken by whoever comes first: a thread of Motor may end it at this moment.
            span = commands.pop(request_id, None)
            if span is not None:
                span.end()

    def _take(self, request_id: int) -> Span | None:
        around = trace.get_current_span().get_span_context().span_id
        return self._open.get(around, {}).pop(request_id, None)


def _collection(event: monitoring.CommandStartedEvent) -> str:
    # `getMore` has the cursor's id in the place of the collection, and `commitTransaction` a number.
    found = event.command.get("collection" if event.command_name == "getMore" else event.command_name)
    return found if isinstance(found, str) else ""


def _name(event: monitoring.CommandStartedEvent) -> str:
    return f"{event.command_name} {_collection(event) or event.database_name}"


def _facts(event: monitoring.CommandStartedEvent) -> dict[str, str | int]:
    facts: dict[str, str | int] = {
        "db.system.name": "mongodb",
        "db.operation.name": event.command_name,
        "db.namespace": event.database_name,
    }
    collection = _collection(event)
    if collection:
        facts["db.collection.name"] = collection
    host, port = event.connection_id
    facts["server.address"] = host
    # A Unix socket has none.
    if port is not None:
        facts["server.port"] = port
    return facts
