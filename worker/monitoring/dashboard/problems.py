"""What is raised instead of returning a page, and the page that is shown then."""

from urllib.parse import urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from worker.errors import OutageError, RegistryError
from worker.monitoring.dashboard.rendering import render

_LONGEST_WAY_BACK = 2_000
_TITLES = {404: "Not found", 405: "Not allowed here"}


SESSION_ENDED = "event: ended\ndata: \n\n"
"""What a stream says to a page whose session has ended."""


class LoginNeeded(Exception):
    """Nobody is logged in, or the session has ended."""


class Problem(Exception):
    """A page that says what is wrong and what to do."""

    def __init__(self, status: int, title: str, what: str, to_do: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.what = what
        self.to_do = to_do


async def to_login(request: Request, error: Exception) -> Response:  # noqa: ARG001 (the interface of Starlette)
    """Send the browser to the log-in, which leads back; a live page is told that the session has ended."""
    if request.headers.get("accept") == "text/event-stream":
        return Response(SESSION_ENDED, media_type="text/event-stream")
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    has_way_back = request.method == "GET" and asked != "/" and len(asked) <= _LONGEST_WAY_BACK
    return RedirectResponse(f"/login?{urlencode({'to': asked})}" if has_way_back else "/login", status_code=303)


async def show_problem(request: Request, error: Exception) -> Response:
    """Return the page of a problem, of an outage, or of an address that does not exist."""
    problem = _as_problem(error)
    return render(
        request, "problem.html", status=problem.status, title=problem.title, what=problem.what, to_do=problem.to_do
    )


def _as_problem(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case RegistryError():
            # Only an outage of MongoDB is not one of Redis, or of its configuration.
            store = error.dependency if isinstance(error, OutageError) else "Redis"
            return Problem(
                503, f"{store} is unavailable", str(error), f"Restore {store}, then load this page again."
            )
        case RequestValidationError():
            return Problem(
                400, "Invalid address", "A value in the address is invalid.", "Follow a link of this page."
            )
        case HTTPException(status_code=status) if status in _TITLES:
            return Problem(status, _TITLES[status], "There is no such page.", "Go to the overview.")
    return Problem(
        500, "An error of this page", type(error).__name__, "Look into the log of hospital-worker dashboard."
    )
