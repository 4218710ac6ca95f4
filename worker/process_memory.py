"""How this process asks the C library for memory."""

import ctypes
import sys

# `M_ARENA_MAX` of glibc's malloc.h.
_ARENA_MAX = -8


def share_one_heap() -> None:
    """Have threads that start from now on share the heap of the main thread; without glibc, do nothing.

    glibc gives each thread a heap of its own, up to eight for each core, and each heap keeps the most that its
    threads have ever needed. The driver's threads reach that one by one, so a worker would grow for hours. Threads
    seldom wait for the one heap, because most code that allocates memory holds the interpreter's lock.
    """
    if sys.platform != "linux":
        return
    # Not every C library has this function, and musl's heap is shared anyway.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
