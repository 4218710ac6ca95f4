from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from pymongo import monitoring

from tests.support.spans import KeptSpans, attributes_of, span_id
from worker.tracing.command_spans import CommandSpans

SERVER = ("mongo.internal", 27018)
SECRET = "the payload of a job"


def started(
    name: str = "insert", command: dict[str, Any] | None = None, *, request_id: int = 1, server: Any = SERVER
) -> monitoring.CommandStartedEvent:
    content = {name: "hospitals", "documents": [{"hospital_name": SECRET}]} if command is None else command
    return monitoring.CommandStartedEvent(content, "registry", request_id, server, request_id)


def succeeded(request_id: int = 1) -> monitoring.CommandSucceededEvent:
    return monitoring.CommandSucceededEvent(timedelta(0), {"ok": 1}, "insert", request_id, SERVER, request_id)


def failed(failure: dict[str, Any] | None, request_id: int = 1) -> monitoring.CommandFailedEvent:
    return monitoring.CommandFailedEvent(timedelta(0), failure, "insert", request_id, SERVER, request_id)  # type: ignore[arg-type]


def test_a_command_within_a_job_is_a_child_of_its_span() -> None:
    kept = KeptSpans()
    commands = CommandSpans(kept.tracer)
    with kept.tracer.start_as_current_span("job") as job:
        commands.started(started())
        commands.succeeded(succeeded())

    span = kept.named("insert hospitals")
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert span.parent == job.get_span_context()
    assert attributes_of(span) == {
        "db.system.name": "mongodb",
        "db.operation.name": "insert",
        "db.namespace": "registry",
        "db.collection.name": "hospitals",
        "server.address": "mongo.internal",
        "server.port": 27018,
    }


@pytest.mark.parametrize(
    ("command", "name", "collection"),
    [
        ({"find": "hospitals", "filter": {"hospital_name": SECRET}}, "find hospitals", "hospitals"),
        ({"getMore": 7, "collection": "logs"}, "getMore logs", "logs"),
        ({"aggregate": 1, "pipeline": []}, "aggregate registry", None),
        ({"commitTransaction": 1}, "commitTransaction registry", None),
        # Commands of a log-in are reported without their content.
        ({}, "saslStart registry", None),
    ],
)
def test_a_span_names_the_command_and_its_collection(
    command: dict[str, Any], name: str, collection: str | None
) -> None:
    kept = KeptSpans()
    commands = CommandSpans(kept.tracer)
    with kept.tracer.start_as_current_span("job"):
        commands.started(started(next(iter(command), "saslStart"), command or {"saslStart": 1}))
        commands.succeeded(succeeded())

    assert attributes_of(kept.named(name)).get("db.collection.name") == collection
    assert SECRET not in kept.named(name).to_json()


@pytest.mark.parametrize(
    ("failure", "status_code", "error_type"),
    [
        ({"code": 11000, "codeName": "DuplicateKey", "errmsg": f"dup key: {SECRET}"}, "11000", "DuplicateKey"),
        ({"code": 4711, "errmsg": SECRET}, "4711", "4711"),
        ({"errtype": "AutoReconnect", "errmsg": SECRET}, None, "AutoReconnect"),
        ({}, None, "_OTHER"),
        (None, None, "_OTHER"),
    ],
)
def test_a_failed_command_has_the_code_of_its_error_and_no_message(
    failure: dict[str, Any] | None, status_code: str | None, error_type: str
) -> None:
    kept = KeptSpans()
    commands = CommandSpans(kept.tracer)
    with kept.tracer.start_as_current_span("job"):
        commands.started(started())
        commands.failed(failed(failure))

    span = kept.named("insert hospitals")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert attributes_of(span).get("db.response.status_code") == status_code
    assert attributes_of(span)["error.type"] == error_type
    assert SECRET not in span.to_json()


def test_a_command_outside_of_any_span_makes_none() -> None:
    kept = KeptSpans()
    commands = CommandSpans(kept.tracer)
    commands.started(started())
    commands.succeeded(succeeded())
    commands.started(started(request_id=2))
    commands.failed(failed({}, 2))

    assert kept.ended() == []


def test_a_command_whose_end_is_not_reported_ends_with_its_job() -> None:
    kept = KeptSpans()
    commands = CommandSpans(kept.tracer)
    with kept.tracer.start_as_current_span("job") as job:
        commands.started(started(request_id=1))
        commands.started(started("find", {"find": "logs"}, request_id=2))
        commands.succeeded(succeeded(2))
        assert [span.name for span in kept.ended()] == ["find logs"]
        commands.end_within(job)
        # Motor's thread goes on after its job was cancelled.
        commands.succeeded(succeeded(1))

    assert kept.named("insert hospitals").end_time is not None
    assert commands._open == {}


def test_a_unix_socket_has_no_port() -> None:
    kept = KeptSpans()
    commands = CommandSpans(kept.tracer)
    with kept.tracer.start_as_current_span("job"):
        commands.started(started(server=("/run/mongod.sock", None)))
        commands.succeeded(succeeded())

    assert attributes_of(kept.named("insert hospitals"))["server.address"] == "/run/mongod.sock"
    assert "server.port" not in attributes_of(kept.named("insert hospitals"))


def test_commands_of_two_jobs_are_told_apart() -> None:
    kept = KeptSpans()
    commands = CommandSpans(kept.tracer)
    first, second = kept.tracer.start_span("first"), kept.tracer.start_span("second")
    for job, request_id in ((first, 1), (second, 2)):
        with trace.use_span(job):
            commands.started(started(request_id=request_id))
    with trace.use_span(second):
        commands.succeeded(succeeded(2))
    commands.end_within(second)
    (span,) = kept.ended()
    assert span.parent is not None
    assert span.parent.span_id == second.get_span_context().span_id
    assert span_id(span) != span.parent.span_id
