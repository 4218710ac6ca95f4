"""What one run of pytest gave, and the table of all runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class SuiteResult:
    """How many tests of a suite passed, failed (with those that could not be run) and were skipped."""

    passed: int
    skipped: int = 0
    failures: Sequence[str] = ()
    """The names of the tests that failed, or why the suite did not run."""

    def __str__(self) -> str:
        counts = {"passed": self.passed, "failed": len(self.failures), "skipped": self.skipped}
        return ", ".join(f"{number:,} {what}" for what, number in counts.items() if number or what == "passed")


@dataclass(frozen=True)
class Row:
    """One environment: its name, what was found for it (None: nothing), and its results by suite."""

    name: str
    found: str | None
    results: Mapping[str, SuiteResult] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return any(result.failures for result in self.results.values())


def read_junit(report: Path, exit_code: int) -> SuiteResult:
    """The result in pytest's JUnit report. A run that failed without a failed test counts as a failure."""
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return SuiteResult(0, failures=[f"pytest wrote no report (exit code {exit_code})"])
    failures = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = sum(case.find("skipped") is not None for case in cases)
    if exit_code and not failures:
        failures = [f"pytest ended with exit code {exit_code}"]
    return SuiteResult(max(0, len(cases) - skipped - len(failures)), skipped, failures)


def table(rows: Sequence[Row], suites: Sequence[str]) -> str:
    """The rows as a Markdown table. What was not found is `not found`, what a row does not run is `-`."""
    lines = [["", "found", *suites], ["---"] * (len(suites) + 2)]
    for row in rows:
        missing = "-" if row.found else "not found"
        lines.append(
            [row.name, row.found or "not found", *(str(row.results.get(name, missing)) for name in suites)]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
