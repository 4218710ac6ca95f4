import asyncio
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.unit.engine.conftest import KeptEvents
from worker.engine import live_signal
from worker.engine.events import LivenessNotShown
from worker.engine.live_signal import show_liveness
from worker.liveness import live_folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(live_signal, "BEAT_INTERVAL_S", 0.01)
    return live_folder()


def numbers(folder: Path) -> list[float]:
    """Return when the worker's event loop ran, and how long it may be silent."""
    file = folder / "worker.live"
    return [float(number) for number in file.read_text().split()] if file.exists() else []


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_file_is_written_again_and_again_and_removed_at_the_end(folder: Path, events: KeptEvents) -> None:
    task = asyncio.create_task(show_liveness("worker", 60, events))
    first, tolerated_s = await until(lambda: numbers(folder))
    await until(lambda: numbers(folder)[0] > first)
    # A job may block for as long as it may run, and half a minute is left for the worker to say so itself.
    assert tolerated_s == 90
    await stop(task)
    assert list(folder.iterdir()) == []
    assert events.sent == []


async def test_a_folder_that_cannot_be_used_is_reported_once_and_tried_again(
    folder: Path, events: KeptEvents
) -> None:
    folder.write_text("in its place")
    task = asyncio.create_task(show_liveness("worker", 60, events))
    await until(lambda: events.of(LivenessNotShown))
    folder.unlink()
    await until(lambda: numbers(folder))
    await stop(task)
    (event,) = events.of(LivenessNotShown)
    assert str(folder) in event.message
