import asyncio
import signal
from collections.abc import Iterator

import orjson
import pytest

from producers import ctrl_c
from producers.queue import _cancellable


@pytest.fixture(autouse=True)
def handled_again() -> Iterator[None]:
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def _before_a_command_of_redis_py() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()


def test_a_task_is_stopped_although_ctrl_c_came_before_a_timeout_of_no_seconds() -> None:
    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        await _before_a_command_of_redis_py()
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        ctrl_c.run(main())


def test_ctrl_c_in_a_callback_of_the_json_encoder_is_no_type_error() -> None:
    written: list[bytes] = []

    def form(_: object) -> str:
        signal.raise_signal(signal.SIGINT)
        return "a form"

    async def main() -> None:
        written.append(orjson.dumps(object(), default=form))
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        ctrl_c.run(main())
    assert written == [b'"a form"']


def test_a_task_that_drops_a_cancellation_is_stopped_even_so() -> None:
    dropped: list[int] = []

    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            dropped.append(1)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        ctrl_c.run(main())
    assert dropped == [1]


def test_an_error_of_a_task_that_is_stopped_is_not_raised() -> None:
    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError

    with pytest.raises(KeyboardInterrupt):
        ctrl_c.run(main())


def test_ctrl_c_after_the_last_step_of_a_task_counts() -> None:
    async def main() -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        ctrl_c.run(main())


def test_a_result_and_an_error_are_passed_on_and_ctrl_c_is_handled_as_before() -> None:
    async def result() -> int:
        return 3

    async def error() -> None:
        raise ValueError

    assert ctrl_c.run(result()) == 3
    with pytest.raises(ValueError, match=r"^$"):
        ctrl_c.run(error())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def test_a_cancellation_that_a_call_has_dropped_is_raised_after_it() -> None:
    waits = asyncio.Event()

    async def call() -> str:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # As `asyncio.wait_for` of Python 3.11 does, if what it waits for has just ended.
            return "an answer"
        raise AssertionError

    task = asyncio.create_task(_cancellable(call))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_call_of_a_task_that_is_being_cancelled_is_not_disturbed() -> None:
    async def call() -> str:
        await asyncio.sleep(0)
        return "an answer"

    answers: list[str] = []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            answers.append(await _cancellable(call))

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert answers == ["an answer"]
