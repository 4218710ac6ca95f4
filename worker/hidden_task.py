"""Hides the tasks of a worker from the code of its jobs."""

import asyncio
from typing import TypeVar
from weakref import WeakSet

T = TypeVar("T")

_of_workers: "WeakSet[asyncio.AbstractEventLoop]" = WeakSet()


def hide_tasks_of(loop: asyncio.AbstractEventLoop) -> None:
    """Hide from now on what `hidden` gets of this event loop, which exists for one worker alone.

    In other programs the tasks stay where these look for them, such as when `asyncio.run` ends.
    """
    _of_workers.add(loop)


def hidden(task: "asyncio.Task[T]") -> "asyncio.Task[T]":
    """Leave a task out of `asyncio.all_tasks()` if its event loop exists for a worker, and return it.

    Code that was written for a program of its own may cancel all tasks of the event loop, or wait for them. In a
    job it would end the worker, which could not know why, and then the next one.
    """
    if task.get_loop() in _of_workers:
        # Documented for other implementations of tasks, in "Extending asyncio".
        asyncio.tasks._unregister_task(task)
    return task
