"""The log line of each minute: how many jobs ended, and how."""

from collections import Counter

from worker.log_lines import LineLogger
from worker.monitoring.tallies import Tallies
from worker.queue.rates import ENDED

LOG_EVERY_S = 60.0

_log = LineLogger("arq.worker.throughput")


class ThroughputLog:
    """Logs one line for each minute in which tries ended; an idle worker logs nothing."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies
        self._logged: Counter[str] = tallies.outcomes()

    def log(self, seconds: float) -> None:
        """Log what has ended since the last call, which was so many seconds ago."""
        now = self._tallies.outcomes()
        added = now - self._logged
        self._logged = now
        if not added:
            return
        ended = sum(added[outcome] for outcome in ENDED)
        per_second = round(ended / seconds, 1)
        _log.info(
            "jobs ended", action="throughput", jobs=ended, per_second=per_second, **dict(sorted(added.items()))
        )
