"""Errors that are hard to store, to print or to pass on."""

from collections.abc import Callable
from typing import Any, cast


class UnprintableError(Exception):
    """Fails when it is turned into text."""

    def __str__(self) -> str:
        raise RuntimeError("cannot be printed")

    __repr__ = __str__


class UnpicklableError(Exception):
    """Fails when it is copied or pickled."""

    def __reduce__(self) -> Any:
        raise RuntimeError("cannot be pickled")


class HostileError(Exception):
    """Raises whatever attribute of it is read, except those that the interpreter itself uses."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"{name} cannot be read")


class ExitingError(Exception):
    """Asks the process to end when it is turned into text, or asked for what it is."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __class__ = property(__str__)


class _Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]  # this is what is tried
        raise RuntimeError("has no name")


class NamelessError(Exception, metaclass=_Nameless):
    """Its class has no readable name."""


class EndlessGroup(ExceptionGroup[Exception]):
    """Contains itself."""

    @property
    def exceptions(self) -> Any:
        return (self,)


def _group_of_pairs() -> BaseException:
    """Return forty groups, each holding the one before twice: a million million ways lead to the innermost."""
    error: Exception = ValueError("innermost")
    for _ in range(40):
        error = ExceptionGroup("pair", [error, error])
    return error


def _nested_group() -> BaseException:
    error: Exception = ValueError("innermost")
    for _ in range(5_000):
        error = ExceptionGroup("nested", [error])
    return error


def _wide_group() -> BaseException:
    return ExceptionGroup("wide", [ValueError(f"part {number}" * 100) for number in range(5_000)])


def _long_chain() -> BaseException:
    error: BaseException = ValueError("first")
    for _ in range(5_000):
        later = ValueError("later")
        later.__cause__ = error
        error = later
    return error


def _cycle() -> BaseException:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def _with_notes() -> BaseException:
    error = ValueError("noted")
    for _ in range(1_000):
        error.add_note("n" * 10_000)
    return error


ERRORS: dict[str, Callable[[], BaseException]] = {
    "nested group": _nested_group,
    "wide group": _wide_group,
    "group of pairs": _group_of_pairs,
    "group within itself": lambda: EndlessGroup("endless", [ValueError("x")]),
    "long chain": _long_chain,
    "cycle of causes": _cycle,
    "many notes": _with_notes,
    "unprintable": UnprintableError,
    "unpicklable": UnpicklableError,
    "hostile": HostileError,
    "exiting": ExitingError,
    "nameless": NamelessError,
    "place that is not a number": lambda: SyntaxError("bad", cast(Any, ("file", "x", "y", "z"))),
    "huge message": lambda: ValueError("x" * 50_000_000),
    "surrogates and control characters": lambda: ValueError("\ud800\x00\x1b[2J\u202e"),
    "bytes as arguments": lambda: ValueError(b"\xff\xfe", object()),
    "name of a class": type("\x1b[2J" + "E" * 100_000, (Exception,), {}),
}
