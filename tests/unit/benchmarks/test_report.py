import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.harness import Result
from benchmarks.report import TARGETS, reached, show, store

RESULTS = [Result("noop", "ours", 10_912.4, "jobs/s", (10_000.0, 10_912.4, 12_000.0))]


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("noop_vs_arq", 8.0, True),
        ("noop_vs_arq", 7.99, False),
        ("recovery_s", 15.0, True),
        ("recovery_s", 15.1, False),
        ("something_else", 1.0, None),
    ],
)
def test_a_value_equal_to_the_target_reaches_it(name: str, value: float, verdict: bool | None) -> None:
    assert reached(name, value) is verdict


def test_the_file_contains_results_and_ratios(tmp_path: Path) -> None:
    store(tmp_path / "results" / "latest.json", RESULTS, {"noop_vs_arq": 11.5})

    assert json.loads((tmp_path / "results" / "latest.json").read_text()) == {
        "results": [
            {
                "name": "noop",
                "system": "ours",
                "value": 10_912.4,
                "unit": "jobs/s",
                "rounds": [10_000.0, 10_912.4, 12_000.0],
            }
        ],
        "ratios": {"noop_vs_arq": 11.5},
    }


def test_the_tables_show_medians_spread_and_verdicts() -> None:
    printed = io.StringIO()

    show(Console(file=printed, width=200), RESULTS, {"noop_vs_arq": 11.5, "recovery_s": 16.0})

    lines = [line.split() for line in printed.getvalue().splitlines()]
    cells = [[part for part in line if part != "│"] for line in lines]
    assert ["noop", "ours", "10,912", "jobs/s", "10,000", "12,000", "3"] in cells
    assert ["noop_vs_arq", "11.50", "at", "least", "8", "reached"] in cells
    assert ["recovery_s", "16.00", "at", "most", "15", "missed"] in cells


def test_every_agreed_figure_has_a_target() -> None:
    assert len(TARGETS) == 15
