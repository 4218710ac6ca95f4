"""The jobs that have ended, from the history: filtered, and page by page."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from fastapi.responses import Response

from worker.contract.job_ends import EndFilter, PastEnd
from worker.monitoring.dashboard.past import HISTORY_OFF, from_mongo
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.search_form import SearchForm, Text, read_instant
from worker.monitoring.dashboard.services import Services
from worker.monitoring.history import HistoryPage, search_history, search_waiting
from worker.monitoring.times import instant
from worker.queue.heartbeats import redis_time

_PAGE = 50
# Of up to 100 jobs each: looked at for one page, however rare what is wanted is.
_MOST_GROUPS = 200


@dataclass(frozen=True, slots=True)
class Search(SearchForm):
    """The fields of the form, as `hospital-worker jobs list` has them, and the cursor of the page before."""

    function: Text = ""
    hospital: Text = ""
    outcome: Text = ""
    error: Text = ""
    batch: Text = ""

    def wanted(self) -> EndFilter:
        """Return what is selected. Raises `Problem` if a time is invalid."""
        return EndFilter(
            function=self.function.strip() or None,
            hospital_id=self.hospital.strip() or None,
            outcome=self.outcome.strip() or None,
            error=self.error.strip() or None,
            batch=self.batch.strip() or None,
            since_ms=_milliseconds(read_instant(self.since)),
            until_ms=_milliseconds(read_instant(self.until)),
        )


async def show_ended(request: Request, services: Services, search: Search) -> Response:
    """Show the form that finds a job, and those that have ended."""
    wanted = search.wanted()
    page, problem = await _find(services, wanted, search.after)
    now_ms = (await services.read(redis_time(services.redis))).timestamp() * 1000
    return render(
        request,
        "jobs.html",
        search=search,
        is_filtered=bool(search.address(search.after)),
        problem=problem,
        rows=[_row(past, now_ms) for past in page.found],
        looked_at=_MOST_GROUPS * 100,
        first=search.address(),
        more=search.address(page.cursor) if page.more else "",
    )


async def _find(services: Services, wanted: EndFilter, after: str) -> tuple[HistoryPage, str]:
    """Return a page of the history, and why it is not all of it, if it is not."""
    if not services.settings.worker_history_days:
        return HistoryPage([], more=False, cursor=""), HISTORY_OFF
    redis, mongo = services.redis, services.mongo
    search = search_history(redis, mongo, wanted, limit=_PAGE, after=after, most_groups=_MOST_GROUPS)
    page, problem = await from_mongo(services, search)
    if page is not None:
        return page, ""
    waiting = search_waiting(redis, wanted, limit=_PAGE, after=after, most_groups=_MOST_GROUPS)
    return await services.read(waiting), f"{problem} Until then, only jobs that have ended meanwhile are listed."


def _row(past: PastEnd, now_ms: float) -> dict[str, object]:
    end = past.end
    return {**end._asdict(), "ended": instant(end.ended_ms, now_ms), "detail": end.status or end.error}


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
