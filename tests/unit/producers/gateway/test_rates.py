from producers.gateway.keys import ApiKey
from producers.gateway.rates import Rates

ONE, OTHER = ApiKey("one", frozenset(), b"1"), ApiKey("other", frozenset(), b"2")


def test_a_key_makes_as_many_requests_at_once_as_in_a_second() -> None:
    now = [0.0]
    rates = Rates(10, lambda: now[0])
    assert [rates.wait_s(ONE) for _ in range(10)] == [0.0] * 10

    assert rates.wait_s(ONE) == 0.1
    assert rates.wait_s(OTHER) == 0.0


def test_a_rate_holds_over_time() -> None:
    now = [0.0]
    rates = Rates(10, lambda: now[0])
    accepted = 0
    for tick in range(10_000):
        now[0] = tick / 1_000
        accepted += rates.wait_s(ONE) == 0.0

    # Ten at once, then ten a second for ten seconds.
    assert 108 <= accepted <= 110


def test_silence_is_saved_up_for_a_second_at_most() -> None:
    now = [0.0]
    rates = Rates(2, lambda: now[0])
    assert rates.wait_s(ONE) == 0.0
    now[0] = 3_600

    assert [rates.wait_s(ONE) for _ in range(3)] == [0.0, 0.0, 0.5]
