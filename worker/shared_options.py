"""Options that several commands share: one function has them, and its result is what the commands get."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

R = TypeVar("R")


def takes(options: Callable[..., Any], *, argument: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return a decorator that gives a command the options that `options` has as parameters.

    The command gets what `options` returns as its argument of that name.
    """

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        own = inspect.signature(command, eval_str=True)
        shared = inspect.signature(options, eval_str=True).parameters

        def with_options(**given: Any) -> R:
            result = options(**{name: given.pop(name) for name in shared})
            return command(**given, **{argument: result})

        kept = [it.replace(kind=it.KEYWORD_ONLY) for it in own.parameters.values() if it.name != argument]
        # The command line is made from these.
        with_options.__signature__ = own.replace(parameters=[*kept, *shared.values()])  # type: ignore[attr-defined]
        hints = get_type_hints(command, include_extras=True) | get_type_hints(options, include_extras=True)
        with_options.__annotations__ = {name: hints[name] for name in [*(it.name for it in kept), *shared]}
        with_options.__doc__ = command.__doc__
        with_options.__name__ = command.__name__
        return with_options

    return decorate
