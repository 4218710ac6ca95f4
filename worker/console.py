"""The console that results are written to."""

from typing import NoReturn

from rich.console import Console


class ResultConsole(Console):
    """Writes to standard output: plain text if that is not a terminal, and nothing is highlighted."""

    def __init__(self, *, soft_wrap: bool = False) -> None:
        super().__init__(highlight=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> NoReturn:
        """Let `worker.closed_pipe` end the command; rich would end it with another code."""
        raise BrokenPipeError
