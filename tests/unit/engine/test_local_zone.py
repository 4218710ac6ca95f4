import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from worker.engine.local_zone import LocalZone


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin."""
    with monkeypatch.context() as changed:
        # The rules themselves, so that the test needs no file of the system.
        changed.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_instants_have_the_local_time_that_the_zones_rules_give() -> None:
    zone, rules = LocalZone(), ZoneInfo("Europe/Berlin")
    for start in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)):
        for minutes in range(0, 240, 10):
            instant = start + timedelta(minutes=minutes)
            local, expected = instant.astimezone(zone), instant.astimezone(rules)
            assert local.replace(tzinfo=None) == expected.replace(tzinfo=None)
            assert local.fold == expected.fold
            assert local.utcoffset() == expected.utcoffset()
            assert local.tzname() == expected.tzname()
            assert local.astimezone(UTC) == instant


def test_nothing_is_known_without_a_time() -> None:
    zone = LocalZone()
    assert (zone.utcoffset(None), zone.dst(None), zone.tzname(None)) == (None, None, None)
