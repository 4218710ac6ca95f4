"""The error of a file that cannot be loaded as it is."""

from pathlib import Path

from worker.errors import PermanentError


class FileError(PermanentError):
    """A file cannot be used: its name, what is wrong, and what to do, in one line.

    Permanent, because reading the same bytes again meets the same fault.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        # A file's name and its header may hold line breaks; the message stays one line.
        super().__init__(" ".join(f"{path}: {problem}".splitlines()))
