import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from worker.hidden_task import hidden, hide_tasks_of


def run(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        loop.run_until_complete(coroutine)
    finally:
        loop.close()


@pytest.fixture
def loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


async def current() -> "asyncio.Task[Any] | None":
    return asyncio.current_task()


def test_a_task_of_a_workers_loop_is_not_among_all_tasks_and_runs_as_any_other(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def main() -> None:
        task = hidden(asyncio.create_task(current(), name="hidden"))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await task is task
        assert task.get_name() == "hidden"

    hide_tasks_of(loop)
    run(loop, main())


def test_who_has_a_hidden_task_cancels_it_as_any_other(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        task = hidden(asyncio.create_task(asyncio.Event().wait()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    hide_tasks_of(loop)
    run(loop, main())


def test_a_task_of_another_program_stays_among_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        task = hidden(asyncio.create_task(current()))
        assert asyncio.all_tasks() == {asyncio.current_task(), task}
        await task

    run(loop, main())
