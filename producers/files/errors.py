"""`FileError`: a file cannot be loaded."""

from pathlib import Path

from producers.files.spooling import shown_path
from worker.errors import PermanentError


class FileError(PermanentError):
    """A file cannot be used. The message is one line: the file's name, what is wrong, and what to do.

    `problem` is the message without the name.

    It is permanent, because reading the same bytes again has the same result.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        # A file's name and its header may contain line breaks; the message must stay one line.
        super().__init__(" ".join(f"{shown_path(path)}: {problem}".splitlines()))
