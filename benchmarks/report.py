"""Prints and stores the results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Result

Bound = Literal["at least", "at most"]

TARGETS: Mapping[str, tuple[Bound, float]] = {
    "noop_vs_arq": ("at least", 8),
    "noop_vs_best_peer": ("at least", 6),
    "ingest_vs_driver": ("at least", 0.85),
    "ingest_vs_best_peer": ("at least", 2.5),
    "register_vs_driver": ("at least", 0.85),
    "bulk_vs_insert_many": ("at least", 0.45),
    "enqueue_many_vs_arq": ("at least", 10),
    "pickup_p50_ms": ("at most", 5),
    "pickup_p99_ms": ("at most", 25),
    "recovery_s": ("at most", 15),
    "backlog_1m_vs_10k": ("at least", 0.9),
    "inflight_50k_vs_0": ("at least", 0.9),
    "history_on_vs_off": ("at least", 0.97),
    "metrics_on_vs_off": ("at least", 0.97),
    "bytes_per_queued_job": ("at most", 1),
}


def reached(name: str, value: float) -> bool | None:
    """Return whether a ratio reaches its target; `None` if it has no target."""
    if name not in TARGETS:
        return None
    bound, target = TARGETS[name]
    return value >= target if bound == "at least" else value <= target


def show(console: Console, results: Sequence[Result], ratios: Mapping[str, float]) -> None:
    """Print the figures, then the ratios with their targets."""
    table = Table("measured", "system", "median", "unit", "min", "max", "rounds")
    for result in results:
        figures = (_figure(value) for value in (result.value, min(result.rounds), max(result.rounds)))
        median, lowest, highest = figures
        row = (result.name, result.system, median, result.unit, lowest, highest, str(len(result.rounds)))
        table.add_row(*row)
    console.print(table)
    summary = Table("ratio", "measured", "target", "")
    for name, value in ratios.items():
        target = " ".join(str(part) for part in TARGETS.get(name, ()))
        verdict = {True: "reached", False: "missed", None: ""}[reached(name, value)]
        summary.add_row(name, f"{value:.2f}", target, verdict)
    console.print(summary)


def store(path: Path, results: Sequence[Result], ratios: Mapping[str, float]) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(exist_ok=True)
    content = {"results": [asdict(result) for result in results], "ratios": dict(ratios)}
    path.write_text(json.dumps(content, indent=2) + "\n")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
