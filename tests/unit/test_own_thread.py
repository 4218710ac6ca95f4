import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from worker.own_thread import in_own_thread, look_up


@asynccontextmanager
async def full_executor() -> AsyncIterator[None]:
    """Fill the event loop's executor, as blocking jobs do."""
    gate = threading.Event()
    calls = [asyncio.create_task(asyncio.to_thread(gate.wait, 30)) for _ in range(40)]
    await asyncio.sleep(0)
    try:
        yield
        assert not any(call.done() for call in calls)
    finally:
        gate.set()
        await asyncio.gather(*calls)


async def test_a_call_returns_its_result_while_the_executor_is_full() -> None:
    async with full_executor(), asyncio.timeout(5):
        thread = await in_own_thread(threading.current_thread)
    assert thread.daemon


async def test_a_call_raises_its_error() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_own_thread(divmod, 1, 0)


async def test_a_cancelled_caller_does_not_wait_for_the_call() -> None:
    gate = threading.Event()
    caller = asyncio.create_task(in_own_thread(gate.wait, 30))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.set()


def test_a_call_that_outlives_the_event_loop_does_no_harm() -> None:
    gate, ended = threading.Event(), threading.Event()

    def call() -> None:
        gate.wait(30)
        ended.set()

    async def start() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await in_own_thread(call)

    asyncio.run(start())
    gate.set()
    assert ended.wait(5)


async def test_a_system_without_threads_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="no thread could be started"):
        await in_own_thread(divmod, 1, 1)


async def test_a_name_is_looked_up_while_the_executor_is_full() -> None:
    async with full_executor(), asyncio.timeout(10):
        found = await look_up("localhost", 1, type=socket.SOCK_STREAM)
    assert {address[-1][1] for address in found} == {1}


async def test_an_address_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", None)
    assert [address[-1][:2] for address in await look_up("::1", 2, type=socket.SOCK_STREAM)] == [("::1", 2)]


async def test_a_name_that_does_not_exist_raises_what_the_system_says() -> None:
    with pytest.raises(socket.gaierror):
        await look_up("no-such-host.invalid", 1)
