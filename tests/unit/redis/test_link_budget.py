import pytest

from worker.redis.link_budget import LinkBudget


def budget(size: int) -> LinkBudget:
    return LinkBudget(first=size, least=10, most=1_000, timeout_s=8)


@pytest.mark.parametrize(
    ("size", "carried", "seconds", "after"),
    [
        (100, 100, 1.9, 200),
        (100, 50, 1.9, 200),
        (100, 49, 0.1, 100),
        (100, 49, 7.0, 100),
        (100, 100, 2.0, 100),
        (100, 100, 4.0, 100),
        (100, 100, 4.1, 50),
        (100, 150, 0.1, 200),
        (600, 600, 0.1, 1_000),
        (1_000, 1_000, 0.1, 1_000),
        (15, 15, 7.0, 10),
    ],
    ids=str,
)
def test_a_call_that_used_most_of_it_shows_what_the_link_carries(
    size: int, carried: int, seconds: float, after: int
) -> None:
    link = budget(size)

    link.carried(carried, seconds)

    assert link.size == after


@pytest.mark.parametrize(("size", "after"), [(100, 50), (15, 10), (10, 10)])
def test_a_call_whose_answer_did_not_arrive_halves_it(size: int, after: int) -> None:
    link = budget(size)

    link.halve()

    assert link.size == after


@pytest.mark.parametrize("bytes_per_second", [20, 50, 100, 1_000])
def test_it_settles_where_calls_take_less_than_half_of_the_timeout(bytes_per_second: int) -> None:
    link, failed = budget(1_000), 0
    for _ in range(50):
        seconds = link.size / bytes_per_second
        if seconds > 8:
            failed += 1
            link.halve()
        else:
            link.carried(link.size, seconds)

    assert link.size / bytes_per_second <= 4
    assert link.size == 1_000 or link.size / bytes_per_second >= 1
    assert failed <= 3
