"""How the rates of jobs are shown to a person."""

from collections import Counter

from rich.table import Table
from rich.text import Text

from worker.escaping import escape
from worker.queue.histograms import percentile
from worker.queue.rates import JobKey, JobTally, Window
from worker.queue.stats import QueueStats

_SHARES = (0.5, 0.95)


def rate_table(state: QueueStats) -> Table | None:
    """Return what ended in the last minutes as a table, or `None` if that is nothing.

    The times are the median and the 95th percentile, of the shortest window in which jobs were run.
    """
    rates = {key: windows for key, windows in state.rates().items() if any(_ended(key, windows))}
    if not rates:
        return None
    queues_of = Counter(function for _, function in rates)
    table = Table(box=None, pad_edge=False)
    table.add_column("jobs ended per s in", overflow="fold", min_width=19)
    for window in state.windows:
        table.add_column(f"{window.seconds // 60} min", justify="right", no_wrap=True)
    for heading in ("pick-up", "p95", "run", "p95"):
        table.add_column(heading, justify="right", no_wrap=True)
    for key, windows in rates.items():
        queue, function = key
        tallies = [window.jobs.get(key, JobTally()) for window in windows]
        recent = next((tally for tally in tallies if any(tally.run)), JobTally())
        table.add_row(
            # A function is known by its queue too only if it is on several.
            Text(escape(f"{function} ({queue})" if queues_of[function] > 1 else function)),
            *map(_rate, _ended(key, windows), windows),
            *(_in_words(percentile(recent.pickup, share)) for share in _SHARES),
            *(_in_words(percentile(recent.run, share)) for share in _SHARES),
        )
    return table


def _ended(key: JobKey, windows: list[Window]) -> list[int]:
    return [window.jobs.get(key, JobTally()).ended for window in windows]


def _rate(ended: int, window: Window) -> str:
    rate = ended / window.covered_s
    return f"{rate:,.1f}" if rate < 1000 else f"{rate:,.0f}"


def _in_words(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
