"""What operators did: who, when, what, on what and why; what waits for MongoDB too."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple, get_args

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from worker.contract.actions import Act, Action
from worker.mongo.act_filter import ActFilter
from worker.mongo.actions import newest_actions
from worker.mongo.client import Document
from worker.monitoring.dashboard.access import LoggedIn, SharedServices
from worker.monitoring.dashboard.past import from_mongo
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.search_form import SearchForm, Text, read_instant
from worker.queue.actions import waiting_actions

router = APIRouter()
_PAGE = 50
_MOST_NAMED = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Search(SearchForm):
    """The fields of the form, and the cursor of the page before."""

    actor: Text = ""
    act: Text = ""

    def wanted(self) -> ActFilter:
        """Return what is selected, but for the act. Raises `Problem` if a time is invalid."""
        return ActFilter(read_instant(self.since), read_instant(self.until), self.actor.strip() or None)


class _Place(NamedTuple):
    """Where an action is in the list, which begins with the greatest."""

    at_ms: int
    action_id: str

    @classmethod
    def of_cursor(cls, text: str) -> "_Place | None":
        at_ms, _, action_id = text.partition("-")
        # The year 2286; what has more digits was not made here.
        return cls(int(at_ms), action_id) if at_ms.isascii() and at_ms.isdigit() and len(at_ms) <= 13 else None

    @classmethod
    def of(cls, at: datetime, action_id: str) -> "_Place":
        return cls((at - _EPOCH) // timedelta(milliseconds=1), action_id)

    def cursor(self) -> str:
        return f"{self.at_ms}-{self.action_id}"


@router.get("/actions")
async def show_actions(
    request: Request, services: SharedServices, _session: LoggedIn, search: Annotated[Search, Depends()]
) -> Response:
    """Show what operators did, the newest first."""
    wanted, act, after = search.wanted(), search.act.strip(), _Place.of_cursor(search.after)
    # Redis first: what is moved meanwhile is then found in MongoDB.
    found: dict[_Place, Action | Document] = {
        _Place.of(action.at, action.id): action
        for action in await services.read(waiting_actions(services.redis))
        if _is_wanted(action, wanted, act)
    }
    before = (_EPOCH + timedelta(milliseconds=after.at_ms), after.action_id) if after else None
    stored, problem = await from_mongo(
        services, newest_actions(services.mongo, wanted, _PAGE + 1, act=act, before=before)
    )
    found |= {_Place.of(_time(action), str(action["_id"])): action for action in stored or []}
    newest = sorted((place for place in found if not after or place < after), reverse=True)
    shown = newest[:_PAGE]
    return render(
        request,
        "actions.html",
        search=search,
        is_filtered=bool(search.address(search.after)),
        acts=get_args(Act),
        problem=problem,
        rows=[_row(found[place]) for place in shown],
        first=search.address(),
        more=search.address(shown[-1].cursor()) if len(newest) > _PAGE else "",
    )


def _is_wanted(action: Action, wanted: ActFilter, act: str) -> bool:
    return (
        (wanted.since is None or action.at >= wanted.since)
        and (wanted.until is None or action.at < wanted.until)
        and wanted.actor in (None, action.actor)
        and act in ("", action.act)
    )


def _row(stored: Action | Document) -> dict[str, object]:
    """Return what is shown of an action, which a later version may have stored."""
    action = stored.model_dump() if isinstance(stored, Action) else stored
    texts = {name: str(action.get(name) or "") for name in ("actor", "act", "target", "result", "reason")}
    ids, selection, count = action.get("ids"), action.get("selection"), action.get("count")
    named = list(map(str, ids[:_MOST_NAMED])) if isinstance(ids, list | tuple) else []
    chosen = selection.items() if isinstance(selection, dict) else ()
    return {
        **texts,
        "at": f"{_time(action):%Y-%m-%d %H:%M:%S} UTC",
        "ids": named,
        "selection": ", ".join(f"{name} {value}" for name, value in chosen),
        "count": count if isinstance(count, int) and count != len(named) else None,
        "page": {"job": "/jobs", "dead letters": "/jobs", "import": "/import"}.get(texts["target"], ""),
    }


def _time(action: Document) -> datetime:
    at = action.get("at")
    return at if isinstance(at, datetime) else _EPOCH
