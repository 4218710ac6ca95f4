import asyncio
import json
import signal
from collections.abc import Awaitable, Callable

import pytest

from worker.commands.queue_watch import watch
from worker.errors import OutageError
from worker.queue.stats import QueueState, QueueStats

STATE = QueueStats(
    queues={"arq:queue": QueueState(1_200, 3, 8, 17.7)},
    dead=2,
    workers=[],
    unknown_functions=[],
    batches=[],
    more_batches=0,
)


def answers(*found: QueueStats | OutageError) -> Callable[[], Awaitable[QueueStats]]:
    """Return a reader that gives these one after the other; Ctrl-C is pressed with the last one."""
    left = list(found)

    async def read() -> QueueStats:
        if not left:
            # Ctrl-C is on its way.
            await asyncio.Event().wait()
        answer = left.pop(0)
        if not left:
            signal.raise_signal(signal.SIGINT)
        if isinstance(answer, OutageError):
            raise answer
        return answer

    return read


async def test_an_outage_is_shown_and_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    await watch(answers(STATE, OutageError("Redis is away"), STATE), 0.001, as_json=False)
    shown = capsys.readouterr()
    line = (
        "arq:queue: 1,200 waiting, 3 deferred, 8 in flight, oldest 17.7 s; dead letters: 2; workers: 0 of 0 ready"
    )
    assert [text.split(" ", 1)[1] for text in shown.out.splitlines()] == [line, line]
    assert [text.split(" ", 1)[1] for text in shown.err.splitlines()] == ["Redis is away"]


async def test_an_outage_at_the_start_is_raised() -> None:
    with pytest.raises(OutageError, match="away"):
        await watch(answers(OutageError("away"), STATE), 0.001, as_json=False)


async def test_json_is_one_object_on_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    await watch(answers(STATE, STATE), 0.001, as_json=True)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it["queues"]["arq:queue"]["waiting"] for it in found] == [1_200, 1_200]
    assert all(it["at"].endswith("Z") for it in found)
