"""Scans the logs of the tests' processes for secrets and payloads, which must not be there.

`tests/conftest.py` passes it everything that a test wrote. A test takes part by using `CANARY` in its passwords,
keys and payloads; the other markers are the secrets of tests that are older than `CANARY`.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CANARY = "canary7Kq2xW9"
"""Part of the tests' secrets and payloads. Only letters and digits, so that it is the same within a URL."""
_MARKERS = (CANARY, "Sesame0pen", "Sesame-0pen", "Xanthippe", "Zebra4711", "w7Yq3secret", "secret-of-the-url")
# The logs of redis-server and mongod are not this project's, and mongod quotes slow commands.
_SERVER_LOG = "server.log"


@dataclass(frozen=True, order=True)
class Leak:
    """A place where a marker was found. The line's text is left out, because it contains a secret."""

    origin: str
    line: int

    def __str__(self) -> str:
        return f"{self.origin}, line {self.line}: contains a secret or a payload"


def find_leaks(text: str, origin: str) -> list[Leak]:
    """Return the lines of `text` that contain a marker, in upper or lower case, as plain text or in base64."""
    folded = text.casefold()
    if not any(form in folded for form in _FOLDED) and not any(form in text for form in _ENCODED):
        return []
    return [
        Leak(origin, number)
        for number, line in enumerate(text.splitlines(), start=1)
        if any(form in line.casefold() for form in _FOLDED) or any(form in line for form in _ENCODED)
    ]


def scan(sections: Iterable[tuple[str, str]], folder: Path | None) -> list[Leak]:
    """Return the leaks in a test's output: its sections, each a name and a text, and the logs in its folder."""
    leaks = [leak for name, text in sections for leak in find_leaks(text, name)]
    if folder is not None:
        for path in sorted(folder.rglob("*.log")):
            if path.name != _SERVER_LOG:
                leaks += find_leaks(path.read_text(errors="replace"), str(path.relative_to(folder)))
    return leaks


def _encodings(marker: str) -> Iterator[str]:
    # A text's base64 form depends on the number of bytes before it, modulo 3. The characters at both ends also
    # encode the neighbouring bytes, so they are cut off.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + marker.encode()).decode()
        yield encoded.rstrip("=")[-(-before * 4 // 3) :][:-1]


_FOLDED = tuple(marker.casefold() for marker in _MARKERS)
_ENCODED = tuple(form for marker in _MARKERS for form in _encodings(marker))
