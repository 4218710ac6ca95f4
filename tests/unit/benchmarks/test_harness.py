import pytest

from benchmarks.harness import OURS, Result, Stopwatch, best_peer, interleaved, percentile, ratio


async def test_every_system_is_measured_once_before_any_is_measured_again() -> None:
    order: list[str] = []

    def measure(name: str):  # type: ignore[no-untyped-def]
        async def run() -> float:
            order.append(name)
            return float(len(order))

        return run

    figures = await interleaved(2, {"a": measure("a"), "b": measure("b")})

    assert order == ["a", "b", "b", "a"]
    assert figures == {"a": [1.0, 4.0], "b": [2.0, 3.0]}


def test_a_ratio_compares_rounds_with_their_own_neighbours() -> None:
    # The machine slowed down to a tenth for the last two rounds.
    figures = {OURS: [200.0, 20.0, 20.0], "peer": [100.0, 10.0, 10.0]}

    assert ratio(figures, OURS, "peer") == 2.0


def test_the_best_peer_is_never_ours() -> None:
    assert best_peer({OURS: [900.0], "slow": [1.0, 500.0, 2.0], "steady": [10.0, 11.0, 12.0]}) == "steady"


@pytest.mark.parametrize(
    ("share", "figure"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)], ids=["p50", "p99", "all", "least"]
)
def test_a_percentile_is_one_of_the_figures(share: float, figure: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == figure


def test_a_result_is_the_median_of_its_rounds() -> None:
    assert Result.of("noop", OURS, "jobs/s", [3.0, 1.0, 10.0]) == Result(
        "noop", OURS, 3.0, "jobs/s", (3.0, 1.0, 10.0)
    )


class TestStopwatch:
    def test_excludes_start_up_and_the_first_tenth_of_the_jobs(self) -> None:
        stopwatch = Stopwatch(1_000)

        assert stopwatch.observe(0.0, 0) is None
        assert stopwatch.observe(9.0, 99) is None
        assert stopwatch.observe(10.0, 200) is None
        assert stopwatch.observe(11.0, 999) is None
        assert stopwatch.observe(12.0, 1_000) == 400.0

    def test_counts_jobs_beyond_the_requested_number(self) -> None:
        stopwatch = Stopwatch(10)
        stopwatch.observe(0.0, 10)

        assert stopwatch.observe(2.0, 30) == 10.0
