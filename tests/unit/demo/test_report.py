from io import StringIO

import pytest
from rich.console import Console

from worker.demo.report import DemoReport, Percentiles


def report(*, hospitals: int, found: int) -> DemoReport:
    return DemoReport(
        rows=34, hospitals=hospitals, found=found, created=34, merged=0, unchanged=0, same=0, kept=0,
        not_applied=0, rejected=0, left_out=0, registered=0, conflicts=0, lost=0, audit_ok=True,
        records_per_s=1, seconds=1, dead=0, log_entries=0, pickup_ms=Percentiles.of([]),
        run_ms=Percentiles.of([]), killed="no worker was killed",
    )  # fmt: skip


def shown(found: DemoReport) -> str:
    console = Console(file=StringIO(), width=80)
    found.show(console)
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


@pytest.mark.parametrize(("hospitals", "found"), [(23, 34), (34, 23)])
def test_two_counts_that_differ_fail_the_demo_and_are_named(hospitals: int, found: int) -> None:
    differing = report(hospitals=hospitals, found=found)
    assert not differing.ok
    assert f"finds {found} distinct hospitals in the file, but the independent count {hospitals}:" in shown(
        differing
    )


def test_equal_counts_are_not_worth_a_line() -> None:
    equal = report(hospitals=34, found=34)
    assert equal.ok
    assert "independent count" not in shown(equal)
