"""The summary of the demonstration, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The 50th, 95th and 99th percentile of the jobs' durations, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        """Return the percentiles of `values`; all 0 if there are none."""
        ordered = sorted(values) or [0.0]

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

        return cls(at(0.5), at(0.95), at(0.99))

    def __str__(self) -> str:
        return f"{self.p50:g} / {self.p95:g} / {self.p99:g} ms"


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The results of one run.

    `hospitals` are the distinct hospitals of the file by an independent count, `found` those that the import's
    reader finds. `unchanged` are the rows that are `same` or `kept`; `not_applied` those in collision or conflict;
    `left_out` the cells that could not be read.
    `lost` counts hospitals of the file that are not stored, rows that no job accounts for, and reported outcomes
    that did not take effect.
    """

    rows: int
    hospitals: int
    found: int
    created: int
    merged: int
    unchanged: int
    same: int
    kept: int
    not_applied: int
    rejected: int
    left_out: int
    registered: int
    conflicts: int
    lost: int
    audit_ok: bool
    records_per_s: float
    seconds: float
    dead: int
    log_entries: int
    pickup_ms: Percentiles
    run_ms: Percentiles
    killed: str

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, both counts of the hospitals are equal, and the audit log is intact."""
        return self.lost == 0 and self.hospitals == self.found and self.audit_ok

    def as_json(self) -> dict[str, object]:
        """Return the report with plain values."""
        return asdict(self)

    def show(self, console: Console) -> None:
        """Write the report as a table, and a line that says so if the two counts of the hospitals differ."""
        table = Table(title="Summary", show_header=False, title_justify="left")
        table.add_column()
        table.add_column(justify="right")
        table.add_column(style="dim")
        for name, value, note in self._lines():
            table.add_row(name, value, note)
        console.print(table)
        if self.hospitals != self.found:
            console.print(
                f"The import finds {self.found:,} distinct hospitals in the file, but the independent count "
                f"{self.hospitals:,}: one of the two has read the file wrongly"
            )

    def _lines(self) -> list[tuple[str, str, str]]:
        return [
            ("rows read", f"{self.rows:,}", ""),
            ("distinct hospitals", f"{self.hospitals:,}", "in rows that are not rejected, counted independently"),
            ("created", f"{self.created:,}", "new hospitals"),
            ("merged", f"{self.merged:,}", ""),
            ("same", f"{self.same:,}", "already stored"),
            ("kept", f"{self.kept:,}", "stored with other content, which was not changed"),
            (
                "not applied",
                f"{self.not_applied:,}",
                "collisions and conflicts: the identity is another's",
            ),
            ("rejected", f"{self.rejected:,}", "make demo KEEP=1 keeps the line and reason of each"),
            ("cells left out", f"{self.left_out:,}", "could not be read; in the same report"),
            ("registered", f"{self.registered:,}", f"each with a log entry; {self.log_entries:,} entries in total"),
            ("conflicts", f"{self.conflicts:,}", "already registered; the attempt is logged"),
            ("dead letters", f"{self.dead:,}", ""),
            ("lost", f"{self.lost:,}", f"although {self.killed}"),
            ("audit chain", "verified" if self.audit_ok else "BROKEN", "hash and position of every entry"),
            (
                "records per second",
                f"{self.records_per_s:,.0f}",
                "the file, from reading to storing, crash included",
            ),
            ("registration pick-up", str(self.pickup_ms), "p50 / p95 / p99: from enqueue to start"),
            ("registration run time", str(self.run_ms), "p50 / p95 / p99: two documents, one transaction"),
            ("seconds", f"{self.seconds:.1f}", "in total"),
        ]
