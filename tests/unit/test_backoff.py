import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "delay_s"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (4, 4), (8, 60), (9, 60), (10**9, 60)]
)
def test_delays_double_up_to_the_longest(failures: int, delay_s: float) -> None:
    assert Backoff(first_s=0.5, longest_s=60).delay_s(failures, jitter=1) == delay_s


@given(failures=st.integers(1, 10**6), jitter=st.floats(0, 1))
def test_jitter_takes_away_up_to_half(failures: int, jitter: float) -> None:
    backoff = Backoff(first_s=0.05, longest_s=2)
    longest_s = backoff.delay_s(failures, jitter=1)
    assert longest_s / 2 <= backoff.delay_s(failures, jitter=jitter) <= longest_s


def test_the_jitter_is_random_unless_it_is_given() -> None:
    backoff = Backoff(first_s=1, longest_s=1)
    delays = {backoff.delay_s(1) for _ in range(50)}
    assert len(delays) > 10
    assert all(0.5 <= delay <= 1 for delay in delays)
