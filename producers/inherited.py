"""Keeps what a process inherits from the one that forked it."""

import functools
import os
import weakref

_of_parent: "weakref.WeakSet[object]" = weakref.WeakSet()


def keep_in_children(*shared: object) -> None:
    """Let these objects live until the end of every process that is forked from this one.

    A connection's socket, and what an event loop waits for it with, are shared with the parent. A connection that
    is collected, if only at the end of the interpreter, closes itself: the child would take the socket from the
    parent's event loop.
    """
    for one in shared:
        _of_parent.add(one)
    _watch_forks()


@functools.cache
def _watch_forks() -> None:
    if not hasattr(os, "register_at_fork"):
        return  # a system without forks
    # Here and not in the child, where importing takes its time.
    import ctypes  # noqa: PLC0415 (only a client that was used needs it)

    def keep() -> None:
        for inherited in list(_of_parent):
            # No other reference outlives all modules.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
        _of_parent.clear()

    os.register_at_fork(after_in_child=keep)
