"""The jobs that have ended, from the history: filtered, and page by page."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import Response

from worker.contract.job_ends import EndFilter, PastEnd
from worker.monitoring.dashboard.past import HISTORY_OFF, from_mongo
from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.monitoring.history import HistoryPage, search_history, search_waiting
from worker.monitoring.times import instant, parse_instant
from worker.queue.heartbeats import redis_time

_PAGE = 50
# Of up to 100 jobs each: looked at for one page, however rare what is wanted is.
_MOST_GROUPS = 200

Text = Annotated[str, Query(max_length=2_000)]


@dataclass(frozen=True, slots=True)
class Search:
    """The fields of the form, as `hospital-worker jobs list` has them, and the cursor of the page before."""

    function: Text = ""
    hospital: Text = ""
    outcome: Text = ""
    error: Text = ""
    batch: Text = ""
    since: Text = ""
    until: Text = ""
    after: Text = ""

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

    def address(self, after: str = "") -> str:
        """Return the query of the page after a cursor."""
        given = {field.name: getattr(self, field.name) for field in fields(self)} | {"after": after}
        return urlencode({name: value for name, value in given.items() if value})


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


def read_instant(text: str) -> datetime | None:
    """Return the instant in a field of a form, in UTC; `None` if it is empty. Raises `Problem` if it is invalid."""
    try:
        return parse_instant(text.strip()) if text.strip() else None
    except ValueError:
        raise Problem(
            400, "Invalid time", "A time could not be read.", "Give one such as 2025-06-30 or 2025-06-30T14:00."
        ) from None


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
