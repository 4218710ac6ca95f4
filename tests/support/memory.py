"""How much memory a process has used."""

from contextlib import suppress
from pathlib import Path

_HEAP_BYTES = 64 << 20


def peak_mb(pid: int) -> int:
    """Return the most resident memory that a process has had so far, in MB; 0 if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    return 0


def resident_kb(pid: int) -> int:
    """Return how much resident memory a process has now, in KB."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0])


def thread_heaps(pid: int) -> int:
    """Return how many heaps glibc has made for threads of a process.

    Each begins at a multiple of 64 MB (`HEAP_MAX_SIZE` of glibc's arena.c, on 64-bit machines) and is a mapping of
    its own that can be written to and is not a file.
    """
    mappings = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    starts = [
        int(addresses.split("-")[0], 16)
        for addresses, access, _, _, inode, *_ in mappings
        if access.startswith("rw") and inode == "0"
    ]
    return sum(start % _HEAP_BYTES == 0 for start in starts)


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
