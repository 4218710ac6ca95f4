"""Replaces the package that `arq --watch` needs: the one function that arq calls, implemented by polling."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path


async def awatch(path: str, *, stop_event: asyncio.Event) -> AsyncIterator[dict[Path, int]]:
    """Yield the contents of a folder each time they change, until `stop_event` is set."""
    seen = _contents(path)
    while not stop_event.is_set():
        await asyncio.sleep(0.02)
        found = _contents(path)
        if found != seen:
            seen = found
            yield found


def _contents(path: str) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in Path(path).iterdir()}
