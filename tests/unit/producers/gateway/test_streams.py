import json
from collections.abc import AsyncGenerator

import pytest
from fastapi.responses import StreamingResponse

from producers.gateway.metrics import GatewayMetrics
from producers.gateway.problems import Problem
from producers.gateway.streams import MOST_STREAMS, Streams, event
from worker.errors import OutageError


async def three(error: Exception | None = None) -> AsyncGenerator[bytes, None]:
    for number in range(3):
        yield event("state", {"number": number})
    if error is not None:
        raise error


async def read(streams: Streams, events: AsyncGenerator[bytes, None]) -> list[str]:
    answer = streams.answer(events)
    assert isinstance(answer, StreamingResponse)
    return [bytes(part).decode() async for part in answer.body_iterator if isinstance(part, bytes)]


async def test_events_are_sent_and_the_stream_is_counted_while_it_is_open() -> None:
    metrics = GatewayMetrics()
    sent = await read(Streams(metrics), three())

    assert sent == [f'event: state\ndata: {{"number":{number}}}\n\n' for number in range(3)]
    assert b"hospital_gateway_streams 0.0" in metrics.text()


async def test_an_outage_ends_a_stream_with_a_problem() -> None:
    *_, last = await read(Streams(GatewayMetrics()), three(OutageError("at 10.0.0.7", dependency="Redis")))

    name, data = last.splitlines()[:2]
    assert name == "event: problem"
    assert json.loads(data.removeprefix("data: "))["code"] == "unavailable"
    assert "10.0.0.7" not in last


async def test_streams_are_bounded() -> None:
    metrics, opened = GatewayMetrics(), []
    streams = Streams(metrics)
    for _ in range(MOST_STREAMS):
        answer = streams.answer(three())
        assert isinstance(answer, StreamingResponse)
        parts = aiter(answer.body_iterator)
        await anext(parts)
        opened.append(parts)

    with pytest.raises(Problem) as refused:
        streams.answer(three())

    assert (refused.value.status_code, refused.value.code) == (503, "unavailable")
    assert f"hospital_gateway_streams {MOST_STREAMS:.1f}".encode() in metrics.text()
