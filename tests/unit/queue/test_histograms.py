import pytest

from worker.queue.histograms import BOUNDS_S, BUCKETS, bucket_of, percentile


def _histogram(*seconds: float) -> list[int]:
    buckets = [0] * BUCKETS
    for value in seconds:
        buckets[bucket_of(value)] += 1
    return buckets


def test_the_limits_go_from_a_millisecond_to_half_an_hour() -> None:
    assert (BOUNDS_S[:4], BOUNDS_S[-1]) == ((0.001, 0.002, 0.005, 0.01), 2_000)
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))


@pytest.mark.parametrize(
    ("seconds", "upper"), [(0, 0.001), (0.001, 0.001), (0.0011, 0.002), (2_000, 2_000), (2_001, None)]
)
def test_a_limit_belongs_to_its_bucket_as_in_prometheus(seconds: float, upper: float | None) -> None:
    bucket = bucket_of(seconds)
    assert (BOUNDS_S[bucket] if bucket < len(BOUNDS_S) else None) == upper


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [
        ([], 0.5, None),
        ([0.015] * 10, 0.5, 0.015),
        ([0.015] * 10, 1.0, 0.02),
        ([0.0005] * 50 + [0.3] * 50, 0.5, 0.001),
        ([0.0005] * 50 + [0.3] * 50, 0.95, 0.47),
        ([3_000], 0.5, 2_000),
    ],
)
def test_a_percentile_lies_in_the_bucket_that_its_share_reaches(
    seconds: list[float], share: float, expected: float | None
) -> None:
    assert percentile(_histogram(*seconds), share) == (expected if expected is None else pytest.approx(expected))
