"""Shared by all subcommands: exit codes, the connection, and how a result is shown."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from producers import ctrl_c
from producers.console import print_error, show_facts, show_json
from producers.files.spooling import shown_path

if TYPE_CHECKING:
    from producers.client import HospitalProducer
    from worker.errors import QueueFull

DONE, PARTLY, NOTHING, INTERRUPTED = 0, 1, 2, 130

WaitOption = Annotated[float, typer.Option(min=0.1, help="seconds to wait for the outcome of one job")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the result as JSON")]


def connect(patience: float = 30) -> "HospitalProducer":
    """Return a producer for the servers that the environment configures; it retries for `patience` seconds.

    If a queue is full, it says so and waits for room: a person sees that, and can stop it.
    """
    # Without the modules of Redis and arq, commands that need no queue start in half the time.
    from producers.client import HospitalProducer  # noqa: PLC0415

    return HospitalProducer.connect(patience=patience, patience_when_full=math.inf, on_full=_say_full)


def _say_full(full: "QueueFull") -> None:
    print_error(f"{full.queue} is full: {full.waiting:,} jobs wait, and {full.bound:,} may; waiting for room")


@contextmanager
def before_sending(path: Path) -> Iterator[None]:
    """Read a file, of which nothing has been sent yet; on Ctrl-C say so, and end the command."""
    try:
        yield
    except KeyboardInterrupt:
        ctrl_c.ignore()
        print_error(f"{path}: interrupted before anything was sent")
        raise typer.Exit(INTERRUPTED) from None


def show(title: str, facts: Mapping[str, object], *, as_json: bool, one_of_several: bool = False) -> None:
    """Print facts as one JSON object or, for people, as a table without those that say nothing."""
    if as_json:
        show_json(facts, one_of_several=one_of_several)
    else:
        show_facts(title, {name: fact for name, fact in facts.items() if fact not in (None, [], (), {}, "")})


def refused(path: Path, why: str, *, as_json: bool, one_of_several: bool) -> int:
    """Say why a file was not loaded, among the objects of several files too; return the exit code."""
    print_error(why)
    if as_json and one_of_several:
        show_json({"file": shown_path(path), "state": "refused", "trouble": why}, one_of_several=True)
    return NOTHING


def pairs(option: str, given: Iterable[str] | None, *, may_be_empty: bool = False) -> dict[str, str]:
    """Return what an option that takes `FIELD=…` was given, by field. Raises `TyperException`."""
    parsed: dict[str, str] = {}
    for pair in given or ():
        field, separator, value = (part.strip() for part in pair.partition("="))
        if not (field and separator and (value or may_be_empty)) or field in parsed:
            raise TyperException(f"{option} takes FIELD=…, once per field, not {pair!r}")
        parsed[field] = value
    return parsed


def combined(codes: Iterable[int]) -> int:
    """Return the exit code for several things, each of which has one."""
    different = set(codes)
    return different.pop() if len(different) == 1 else PARTLY
