"""When a cron job runs next, in a time zone whose clocks are put forward and back.

A schedule that names no hours follows elapsed time: it runs whenever the wall clock matches, so every 15 minutes
stay 15 minutes when the clocks change. A schedule that names hours runs once for each wall-clock time that it has:
the first time if the clocks go back and show it twice, and at the first valid instant if the clocks go forward and
skip it; several skipped times are made up for by one run. (Vixie cron makes the same distinction.)
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta, tzinfo

from arq.cron import CronJob
from arq.typing import WEEKDAYS

_MICROSECOND = timedelta(microseconds=1)
# Runs are named by their time in whole milliseconds, so two runs in one millisecond would be one.
_LEAST_GAP = timedelta(milliseconds=1)
# No zone changes its offset twice within this time, and no change is larger.
_DAY = timedelta(days=1)

Option = Collection[int] | int | None


def next_run(schedule: CronJob, after: datetime, zone: tzinfo) -> datetime:
    """Return the first run later than `after`, an aware `datetime`, as an instant in UTC.

    Of the job only the fields of its schedule are read; `None` matches everything. Raises `OverflowError` for a
    schedule that never matches, such as 30 February.
    """
    earliest = after.astimezone(UTC) + _LEAST_GAP
    if all(_matches(schedule.hour, hour) for hour in range(24)):
        return _next_by_elapsed_time(schedule, earliest, zone)
    return _next_by_wall_clock(schedule, earliest, zone)


def _next_by_elapsed_time(schedule: CronJob, earliest: datetime, zone: tzinfo) -> datetime:
    while True:
        wall = _wall_clock(earliest, zone)
        run = earliest + (_next_match(schedule, wall) - wall)
        # Beyond a change of the offset the wall clock shows another time than elapsed time says.
        change = _next_change(earliest, run, zone)
        if change is None:
            return run
        earliest = change


def _next_by_wall_clock(schedule: CronJob, earliest: datetime, zone: tzinfo) -> datetime:
    wall = _wall_clock(earliest, zone)
    # In the first second after a gap, the run that makes up for skipped times may be still to come.
    change = _next_change(earliest - timedelta(seconds=1), earliest, zone)
    if change is not None:
        wall = min(wall, _wall_clock(change - _MICROSECOND, zone))
    while True:
        wall = _next_match(schedule, wall)
        run = _first_instant(wall, zone, schedule.microsecond)
        if run >= earliest:
            return run
        wall += _MICROSECOND


def _first_instant(wall: datetime, zone: tzinfo, microsecond: int) -> datetime:
    """Return the first instant at which the wall clock shows this time, or the end of a gap that skips it."""
    near = wall.replace(tzinfo=UTC)
    runs = [near - _offset(near + distance, zone) for distance in (-_DAY, _DAY)]
    shown = [run for run in runs if _wall_clock(run, zone) == wall]
    if shown:
        return min(shown)
    change = _next_change(near - _DAY, near + _DAY, zone)
    return min(runs) if change is None else change.replace(microsecond=microsecond)


def _next_change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """Return the first instant after `start`, up to `end`, at which the zone's offset changes; whole seconds."""
    offset = _offset(start, zone)
    while start < end:
        step = min(start + _DAY, end)
        if _offset(step, zone) != offset:
            return _bisect(start, step, zone)
        start = step
    return None


def _bisect(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    offset = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    # Of an aware `datetime` it is never `None`, as it was needed for the conversion.
    return instant.astimezone(zone).utcoffset() or timedelta()


def _wall_clock(instant: datetime, zone: tzinfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _next_match(schedule: CronJob, wall: datetime) -> datetime:
    """Return the first wall-clock time, from `wall` on, that matches all fields."""
    wall = _at_microsecond(wall, schedule.microsecond)
    while True:
        midnight = wall.replace(hour=0, minute=0, second=0)
        if not _matches(schedule.month, wall.month):
            wall = _first_of_next_month(midnight)
        elif not _matches(schedule.day, wall.day) or not _matches(_weekday(schedule.weekday), wall.weekday()):
            wall = midnight + timedelta(days=1)
        elif not _matches(schedule.hour, wall.hour):
            wall = wall.replace(minute=0, second=0) + timedelta(hours=1)
        elif not _matches(schedule.minute, wall.minute):
            wall = wall.replace(second=0) + timedelta(minutes=1)
        elif not _matches(schedule.second, wall.second):
            wall += timedelta(seconds=1)
        else:
            return wall


def _at_microsecond(wall: datetime, microsecond: int) -> datetime:
    later = wall.replace(microsecond=microsecond)
    return later if later >= wall else later + timedelta(seconds=1)


def _first_of_next_month(midnight: datetime) -> datetime:
    return (midnight.replace(day=1) + timedelta(days=31)).replace(day=1)


def _matches(option: Option, value: int) -> bool:
    if option is None:
        return True
    return option == value if isinstance(option, int) else value in option


def _weekday(option: Option | str) -> Option:
    return WEEKDAYS.index(option.lower()) if isinstance(option, str) else option
