import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from tests.support.waiting import until
from worker.errors import ConfigurationError
from worker.tracing.worker_tracing import WorkerTracing

VARIABLES = (
    *("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_BSP_MAX_QUEUE_SIZE"),
    *("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TIMEOUT"),
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def resource_of(tracing: WorkerTracing) -> dict[str, Any]:
    return dict(tracing._provider.resource.attributes)


def test_spans_name_the_worker_unless_the_environment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    found = resource_of(WorkerTracing("vm:1:abc", "0.1.0", parent=False))
    assert (found["service.name"], found["service.version"]) == ("hospital-worker", "0.1.0")
    assert found["service.instance.id"] == "vm:1:abc"

    monkeypatch.setenv("OTEL_SERVICE_NAME", "registry")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    found = resource_of(WorkerTracing("vm:1:abc", "0.1.0", parent=False))
    assert (found["service.name"], found["deployment.environment.name"]) == ("registry", "staging")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only http/protobuf is supported"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "only http/protobuf is supported"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1", "has a value that cannot be used"),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message):
        WorkerTracing("vm:1:abc", "0.1.0", parent=False).start()


def test_a_worker_that_is_not_started_has_no_thread() -> None:
    before = threading.active_count()
    WorkerTracing("vm:1:abc", "0.1.0", parent=False)
    assert threading.active_count() == before


class _Silent(asyncio.Protocol):
    """Accepts connections and answers nothing."""


@pytest_asyncio.fixture
async def silent_collector() -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(_Silent, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_collector_that_does_not_answer_holds_up_the_end_for_a_second(
    monkeypatch: pytest.MonkeyPatch, silent_collector: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", silent_collector)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    tracing = WorkerTracing("vm:1:abc", "0.1.0", parent=False)
    tracing.start()
    tracing._provider.get_tracer("test").start_span("a job").end()
    began = time.monotonic()
    with capture_logs() as lines:
        await tracing.stop()

    assert 0.9 < time.monotonic() - began < 1.9
    assert [line["action"] for line in lines] == ["last_spans_not_exported"]
    # It ends by itself: the next test must not inherit it.
    await until(lambda: not any(thread.name == "own-thread" for thread in threading.enumerate()))
