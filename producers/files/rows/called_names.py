"""Notes on rows whose names say that they may be no hospitals at work."""

from collections.abc import Callable

from producers.files.values import FileRow

_LONGEST_SHOWN = 40


class CalledNames:
    """Counts the rows with a record whose name `is_called` so. They are loaded all the same.

    `so` says in the note what they are called, and `advice` what to do about it.
    """

    def __init__(self, is_called: Callable[[str], bool], so: str, advice: str) -> None:
        self._is_called = is_called
        self._so = so
        self._advice = advice
        self._count = 0
        self._first = ""

    def take_in(self, row: FileRow) -> None:
        """Take one row."""
        name = row.known.get("hospital_name") if row.known is not None else None
        if isinstance(name, str) and self._is_called(name):
            self._count += 1
            self._first = self._first or f"{name[:_LONGEST_SHOWN]!r} in line {row.line}"

    def notes(self) -> list[str]:
        """Return what a person should know: one sentence if there are such names."""
        if not self._count:
            return []
        are = "1 row is" if self._count == 1 else f"{self._count:,} rows are"
        return [f"{are} called {self._so} and loaded as a hospital, first {self._first}; {self._advice}"]
