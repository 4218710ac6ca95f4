"""How much memory a process has used."""

from contextlib import suppress
from pathlib import Path


def peak_mb(pid: int) -> int:
    """Return the most resident memory that a process has had so far, in MB; 0 if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    return 0
