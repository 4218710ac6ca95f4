"""Runs a program as process 1 of a process namespace, as a container without an init process does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def first_process(
    *command: str, log: Path, environment: Mapping[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Start a program as process 1; yield the process that waits for it, and its id in this namespace.

    The first exits with the second's status. It needs Linux with `unshare` (util-linux), as root or with
    unprivileged user namespaces. Both are killed at the end.
    """
    with log.open("wb") as file:
        parent = await asyncio.create_subprocess_exec(
            *("unshare", "--map-root-user", "--pid", "--fork", "--kill-child=KILL", *command),
            env=dict(environment),
            stdout=file,
            stderr=file,
        )
    try:
        yield parent, await _child(parent, log)
    finally:
        if parent.returncode is None:
            parent.kill()
            await parent.wait()


async def _child(parent: asyncio.subprocess.Process, log: Path) -> int:
    while True:
        if parent.returncode is not None:
            raise RuntimeError(f"unshare exited with {parent.returncode}: {log.read_text()}")
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        if children.exists() and (found := children.read_text().split()):
            return int(found[0])
        await asyncio.sleep(0.001)


def blocks(pid: int, signum: int) -> bool:
    """Return whether a process blocks a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> (signum - 1) & 1)
