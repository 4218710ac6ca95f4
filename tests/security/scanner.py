"""Looks through what the tests' processes have logged for secrets and payloads that must not be there.

`tests/conftest.py` shows it all that a test wrote. A test takes part by using `CANARY` in its passwords, keys
and payloads; the other markers are the secrets of tests that had theirs before.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CANARY = "canary7Kq2xW9"
"""Stands in secrets and payloads of tests. Letters and digits alone, so that it is the same within a URL."""
_MARKERS = (CANARY, "Sesame0pen", "Sesame-0pen", "Xanthippe", "Zebra4711", "w7Yq3secret", "secret-of-the-url")
# What redis-server and mongod themselves say is no log of this project, and mongod quotes slow commands.
_LOGS_OF_SERVERS = "server.log"


@dataclass(frozen=True, order=True)
class Leak:
    """A place where a marker was found; what the line says is left out, since it holds a secret."""

    origin: str
    line: int

    def __str__(self) -> str:
        return f"{self.origin}, line {self.line}: holds a secret or a payload"


def find_leaks(text: str, origin: str) -> list[Leak]:
    """Return the lines of `text` that hold a marker, in any case, as it is or in base64."""
    folded = text.casefold()
    if not any(form in folded for form in _FOLDED) and not any(form in text for form in _ENCODED):
        return []
    return [
        Leak(origin, number)
        for number, line in enumerate(text.splitlines(), start=1)
        if any(form in line.casefold() for form in _FOLDED) or any(form in line for form in _ENCODED)
    ]


def scan(sections: Iterable[tuple[str, str]], folder: Path | None) -> list[Leak]:
    """Return the leaks in what a test wrote: sections of a name and a text, and the logs in its folder."""
    leaks = [leak for name, text in sections for leak in find_leaks(text, name)]
    if folder is not None:
        for path in sorted(folder.rglob("*.log")):
            if path.name != _LOGS_OF_SERVERS:
                leaks += find_leaks(path.read_text(errors="replace"), str(path.relative_to(folder)))
    return leaks


def _encodings(marker: str) -> Iterator[str]:
    # A text's base64 depends on how many bytes stand before it, modulo 3; the ends mix with their neighbours.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + marker.encode()).decode()
        yield encoded.rstrip("=")[-(-before * 4 // 3) :][:-1]


_FOLDED = tuple(marker.casefold() for marker in _MARKERS)
_ENCODED = tuple(form for marker in _MARKERS for form in _encodings(marker))
