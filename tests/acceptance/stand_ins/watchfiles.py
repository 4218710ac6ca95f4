"""Stands in for the package that `arq --watch` asks for: its one function that arq calls, by polling."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path


async def awatch(path: str, *, stop_event: asyncio.Event) -> AsyncIterator[dict[Path, int]]:
    """Yield what is in a folder whenever that has changed, until told to stop."""
    seen = _look(path)
    while not stop_event.is_set():
        await asyncio.sleep(0.02)
        found = _look(path)
        if found != seen:
            seen = found
            yield found


def _look(path: str) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in Path(path).iterdir()}
