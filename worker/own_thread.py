"""Runs blocking calls in threads of their own.

The event loop's default executor belongs to the jobs: `asyncio.to_thread` uses it, and so do asyncio's own look-ups
of host names. When blocking jobs had filled it, a lost connection came back only after one of them had ended.
uvloop looks names up in four threads that all look-ups of the process share.
"""

import asyncio
import errno
import functools
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

Addresses = list[tuple[Any, ...]]
"""What `socket.getaddrinfo` returns."""


async def in_own_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a blocking function in a new thread and return its result, or raise its error.

    If the caller is cancelled, the call goes on and its result is dropped. The process's exit does not wait for it.
    Raises `OSError` if the system has no thread left.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(error: BaseException | None, value: Any) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)

    def run() -> None:
        value, error = None, None
        try:
            value = function(*args)
        except BaseException as raised:  # noqa: BLE001 (raised again in the caller's task)
            error = raised
        # The loop may have been closed meanwhile; then nobody waits for the result.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, error, value)

    try:
        threading.Thread(target=run, name="own-thread", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, "no thread could be started") from error
    return await result


async def look_up(host: str, port: int, **options: Any) -> Addresses:
    """Return the addresses of a host; `options` and errors are those of `socket.getaddrinfo`."""
    resolve = functools.partial(socket.getaddrinfo, host, port, **options)
    try:
        # Does not block: an address needs no look-up.
        return resolve(flags=options.get("flags", 0) | socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await in_own_thread(resolve)
