"""A process whose clock is wrong, as on a machine without NTP."""

import datetime
import sys
import time
from collections.abc import Callable
from typing import Any

_REAL_DATETIME = datetime.datetime


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL_DATETIME)


def shift_clocks(seconds: float, packages: tuple[str, ...]) -> Callable[[], None]:
    """Shift this process's time of day by `seconds`; return a function that undoes it.

    Replaces `time.time`, `time.time_ns` and `datetime.datetime.now` where code looks them up: in the module `time`,
    and in the modules of `packages` that are already imported and hold them by name. Monotonic clocks stay
    unchanged, because a wrong time of day does not affect them.
    """
    real_time, real_time_ns = time.time, time.time_ns

    class Shifted(_REAL_DATETIME, metaclass=_AnyDatetime):
        # Creates plain datetimes, so that only `now` differs.
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return _REAL_DATETIME(*args, **kwargs)

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            # Added in UTC: in a zone it would be added to the wall clock.
            shifted = _REAL_DATETIME.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
            return shifted.astimezone().replace(tzinfo=None) if tz is None else shifted.astimezone(tz)

    replacements: dict[int, Any] = {
        id(real_time): lambda: real_time() + seconds,
        id(real_time_ns): lambda: real_time_ns() + round(seconds * 1e9),
        id(_REAL_DATETIME): Shifted,
    }
    replaced: list[tuple[Any, str, Any]] = []
    held = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in packages]
    for module in (time, *held):
        for name, value in list(vars(module).items()):
            if id(value) in replacements:
                replaced.append((module, name, value))
                setattr(module, name, replacements[id(value)])

    def undo() -> None:
        for module, name, value in replaced:
            setattr(module, name, value)

    return undo
