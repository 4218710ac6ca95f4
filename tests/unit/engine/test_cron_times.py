"""Runs of cron jobs around changes of the clocks. Instants are written in UTC, `MM-DD HH:MM`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from arq.cron import CronJob, cron, next_cron

from worker.engine.cron_times import next_run

QUARTERS = {0, 15, 30, 45}
EVERY_15: dict[str, Any] = {"minute": QUARTERS}


async def _job(ctx: dict[str, Any]) -> None: ...


def schedule(microsecond: int = 0, **fields: Any) -> CronJob:
    return cron(_job, microsecond=microsecond, **fields)


def runs(job: CronJob, zone: tzinfo, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    for _ in range(count):
        after = next_run(job, after, zone)
        found.append(after)
    return found


def instant(year: int, text: str) -> datetime:
    return datetime.strptime(f"{year}-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "year", "fields", "after", "expected"),
    [
        # Back from 03:00 to 02:00 at 01:00 UTC, forward from 02:00 to 03:00 at 01:00 UTC.
        ("Europe/Berlin", 2026, {"hour": 2, "minute": 30}, "10-24 12:00", ["10-25 00:30", "10-26 01:30"]),
        ("Europe/Berlin", 2026, {"hour": 2, "minute": 30}, "10-25 01:10", ["10-26 01:30"]),
        ("Europe/Berlin", 2026, {"hour": 2, "minute": 30}, "03-28 12:00", ["03-29 01:00", "03-30 00:30"]),
        ("Europe/Berlin", 2026, {"hour": 3, "minute": 0}, "10-24 12:00", ["10-25 02:00", "10-26 02:00"]),
        ("Europe/Berlin", 2026, {"hour": 3, "minute": 0}, "03-28 12:00", ["03-29 01:00", "03-30 01:00"]),
        # Four skipped times are made up for by one run, which is that of 03:00 too.
        (
            "Europe/Berlin",
            2026,
            {"hour": {1, 2, 3}, "minute": QUARTERS},
            "03-29 00:30",
            ["03-29 00:45", "03-29 01:00", "03-29 01:15"],
        ),
        (
            "Europe/Berlin",
            2026,
            {"hour": {2, 3}, "minute": {0, 30}},
            "10-24 12:00",
            ["10-25 00:00", "10-25 00:30", "10-25 02:00", "10-25 02:30", "10-26 01:00"],
        ),
        (
            "Europe/Berlin",
            2026,
            {"hour": {0, 2, 4}, "minute": 0},
            "03-28 22:00",
            ["03-28 23:00", "03-29 01:00", "03-29 02:00"],
        ),
        # Back from 02:00 to 01:00 at 06:00 UTC, forward from 02:00 to 03:00 at 07:00 UTC.
        ("America/New_York", 2026, {"hour": 1, "minute": 30}, "10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
        ("America/New_York", 2026, {"hour": 2, "minute": 30}, "03-07 12:00", ["03-08 07:00", "03-09 06:30"]),
        # Half an hour: back from 02:00 to 01:30 at 15:00 UTC, forward from 02:00 to 02:30 at 15:30 UTC.
        ("Australia/Lord_Howe", 2026, {"hour": 1, "minute": 45}, "04-03 20:00", ["04-04 14:45", "04-05 15:15"]),
        ("Australia/Lord_Howe", 2026, {"hour": 2, "minute": 15}, "10-02 20:00", ["10-03 15:30", "10-04 15:15"]),
        # Winter time in summer: back for Ramadan at 02:00 UTC, forward after it.
        ("Africa/Casablanca", 2025, {"hour": 2, "minute": 30}, "02-22 12:00", ["02-23 01:30", "02-24 02:30"]),
        ("Africa/Casablanca", 2025, {"hour": 2, "minute": 30}, "04-05 12:00", ["04-06 02:00", "04-07 01:30"]),
        # At midnight: forward from 00:00 to 01:00 at 03:00 UTC, back from 00:00 to 23:00 at 02:00 UTC.
        ("America/Sao_Paulo", 2018, {"hour": 0, "minute": 30}, "11-03 12:00", ["11-04 03:00", "11-05 02:30"]),
        (
            "America/Sao_Paulo",
            2018,
            {"weekday": "sun", "hour": 0, "minute": 0},
            "11-01 12:00",
            ["11-04 03:00", "11-11 02:00"],
        ),
        ("America/Sao_Paulo", 2018, {"hour": 23, "minute": 30}, "02-17 12:00", ["02-18 01:30", "02-19 02:30"]),
        (
            "America/Sao_Paulo",
            2018,
            {"weekday": "sat", "hour": 23, "minute": 30},
            "02-17 12:00",
            ["02-18 01:30", "02-25 02:30"],
        ),
        # A whole day is skipped: 30 December 2011.
        (
            "Pacific/Apia",
            2011,
            {"hour": 12, "minute": 0},
            "12-29 12:00",
            ["12-29 22:00", "12-30 10:00", "12-30 22:00"],
        ),
        ("UTC", 2026, {"hour": 2, "minute": 30}, "03-28 12:00", ["03-29 02:30", "03-30 02:30"]),
    ],
)
def test_a_named_hour_runs_once_for_each_local_time(
    zone: str, year: int, fields: dict[str, Any], after: str, expected: Sequence[str]
) -> None:
    found = runs(schedule(**fields), ZoneInfo(zone), instant(year, after), len(expected))
    assert found == [instant(year, text) for text in expected]


@pytest.mark.parametrize("hour", [None, set(range(24))])
@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        ("Africa/Casablanca", datetime(2025, 2, 23, 2, tzinfo=UTC)),
        ("Africa/Casablanca", datetime(2025, 4, 6, 2, tzinfo=UTC)),
        ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ],
)
def test_every_15_minutes_stays_every_15_minutes(zone: str, around: datetime, hour: Any) -> None:
    start = around - timedelta(hours=3)
    found = runs(schedule(hour=hour, **EVERY_15), ZoneInfo(zone), start, 24)
    assert found == [start + number * timedelta(minutes=15) for number in range(1, 25)]


def test_the_second_pass_of_an_hour_runs_although_nothing_follows_it_that_day() -> None:
    # Saturday, 17 February 2018, shows 23:00 to 24:00 twice; the next match by the wall clock is years away.
    job = schedule(month=2, day=17, weekday="sat", minute=45)
    assert runs(job, ZoneInfo("America/Sao_Paulo"), datetime(2018, 2, 18, 0, 50, tzinfo=UTC), 3) == [
        datetime(2018, 2, 18, 1, 45, tzinfo=UTC),
        datetime(2018, 2, 18, 2, 45, tzinfo=UTC),
        datetime(2024, 2, 17, 3, 45, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"minute": 7},
        {"second": {0, 30}},
        {"hour": 3, "minute": 7, "second": 5},
        {"weekday": "mon", "hour": {1, 13}, "minute": 0},
        {"weekday": 6, "minute": 59, "second": 59},
        {"day": 31, "hour": 0, "minute": 0},
        {"month": {2, 12}, "day": (28, 29), "hour": [23], "minute": 30},
        {"month": 2, "day": 29, "hour": 12, "minute": 0},
        {"hour": 5, "minute": 30, "microsecond": 123_456},
    ],
)
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_without_changes_of_the_clocks_runs_are_those_of_arq(fields: dict[str, Any], zone: tzinfo) -> None:
    ours = arqs = datetime(2023, 12, 30, 22, 58, 57, 123_000, tzinfo=zone)
    options = {"microsecond": 0, **fields}
    for _ in range(20):
        ours, arqs = next_run(schedule(**options), ours, zone), next_cron(arqs, **options)
        assert ours == arqs


@pytest.mark.parametrize("microsecond", [0, 123_456])
def test_one_skipped_time_is_made_up_for_once(microsecond: int) -> None:
    job, zone = schedule(microsecond, hour=2, minute=30), ZoneInfo("Europe/Berlin")
    made_up = datetime(2026, 3, 29, 1, 0, 0, microsecond, tzinfo=UTC)
    for before in (timedelta(hours=5), timedelta(milliseconds=1), timedelta(milliseconds=100)):
        assert next_run(job, made_up - before, zone) == made_up
    # A remembered run is known in whole milliseconds.
    for after in (made_up, made_up.replace(microsecond=microsecond // 1000 * 1000), made_up + timedelta(minutes=1)):
        assert next_run(job, after, zone) == datetime(2026, 3, 30, 0, 30, 0, microsecond, tzinfo=UTC)


def test_a_run_every_second_goes_on_while_the_clocks_change() -> None:
    for change in (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)):
        start = change - timedelta(seconds=3)
        found = runs(schedule(second=None), ZoneInfo("Europe/Berlin"), start, 6)
        assert found == [start + timedelta(seconds=number) for number in range(1, 7)]


def test_an_instant_may_be_given_in_any_zone() -> None:
    zone = ZoneInfo("Europe/Berlin")
    second_pass = datetime(2026, 10, 25, 2, 50, fold=1, tzinfo=zone)
    assert next_run(schedule(**EVERY_15), second_pass, zone) == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)


def test_a_schedule_that_never_matches_is_an_error() -> None:
    with pytest.raises(OverflowError):
        next_run(schedule(month=2, day=30, hour=0, minute=0), datetime(2026, 1, 1, tzinfo=UTC), UTC)
