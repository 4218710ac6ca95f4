import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.scenarios.metrics import _read
from worker.embedded.ports import choose_port


async def test_a_round_beside_which_no_metrics_could_be_read_has_no_figure() -> None:
    async def measure() -> float:
        return 1.0

    with pytest.raises(BenchmarkError, match="no metrics were read from port"):
        await _read(measure, choose_port())()
