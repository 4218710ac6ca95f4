from itertools import pairwise

import pytest

from worker.queue.clock import queue_time_ms

NOW = 1_700_000_000_000
YEAR_MS = 365 * 86_400_000


@pytest.mark.parametrize(
    ("noted", "ahead", "expected"),
    [
        (None, None, NOW),
        (b"%d" % NOW, b"0", NOW),
        (b"%d" % (NOW - 500), b"0", NOW),
        # Set back by 120 s since the last note: the time stands where it was.
        (b"%d" % (NOW + 120_000), b"0", NOW + 120_000),
        # Noted as ahead 100 s ago: it passes at nine tenths of the pace.
        (b"%d" % (NOW - 100_000), b"120000", NOW + 110_000),
        (b"%d" % (NOW - 1_200_000), b"120000", NOW),
        (b"%d" % (NOW - 2_000_000), b"120000", NOW),
        # Set back twice.
        (b"%d" % (NOW + 60_000), b"120000", NOW + 180_000),
        # A clock that was a day wrong for a moment.
        (b"%d" % (NOW + 86_400_000), b"0", NOW + 86_400_000),
        # Not written by a script.
        (b"%d" % (NOW + 11 * YEAR_MS), b"0", NOW),
        (b"%d" % NOW, b"-5", NOW),
        (b"%d" % NOW, None, NOW),
        (b"soon", b"0", NOW),
        (b"nan", b"0", NOW),
        (b"%d" % NOW, b"nan", NOW),
        (b"inf", b"0", NOW),
    ],
)
def test_the_queues_time_does_not_run_backwards(noted: bytes | None, ahead: bytes | None, expected: int) -> None:
    assert queue_time_ms(NOW, noted, ahead) == expected


def test_the_time_never_stands_still_and_redis_catches_up() -> None:
    times = [queue_time_ms(NOW + 1_000 * passed, b"%d" % NOW, b"120000") for passed in range(1_300)]
    steps = [after - before for before, after in pairwise(times)]
    assert min(steps) >= 899
    assert times[1_199] > NOW + 1_199_000
    assert times[1_200] == NOW + 1_200_000
