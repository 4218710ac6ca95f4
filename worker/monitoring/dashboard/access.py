"""Who may do what: dependencies that a route names, so that none runs for somebody who may not."""

import hmac
from typing import Annotated, cast
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from worker.monitoring.dashboard.problems import LoginNeeded, Problem
from worker.monitoring.dashboard.services import Services
from worker.monitoring.dashboard.sessions import Session

# A payload of the largest size that can be edited, in the form that a browser sends.
_LARGEST_FORM = 1_048_576
_MOST_FIELDS = 50

Form = dict[str, str]


async def services_of(request: Request) -> Services:
    """Return what all pages share."""
    return cast(Services, request.app.state.services)


SharedServices = Annotated[Services, Depends(services_of)]


async def _logged_in(request: Request, services: SharedServices) -> Session:
    session = services.sessions.find(request.cookies.get(services.session_cookie, ""))
    if session is None:
        raise LoginNeeded
    request.state.session = session
    return session


LoggedIn = Annotated[Session, Depends(_logged_in)]


async def read_form(request: Request) -> Form:
    """Return the fields of a form. Raises `Problem` for one that is too large or not a form."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise Problem(413, "Too large", f"A form has at most {_LARGEST_FORM:,} bytes.", "Send less.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Problem(400, "Invalid form", "The form could not be read.", "Load the page again.") from None


async def _posted(request: Request, session: LoggedIn) -> Form:
    form = await read_form(request)
    if not is_same(form.pop("csrf", ""), session.csrf_token):
        raise Problem(
            403,
            "Refused",
            "The form is not of this session, or of an earlier one.",
            "Load the page, then try again.",
        )
    return form


PostedForm = Annotated[Form, Depends(_posted)]


async def _operator(session: LoggedIn) -> Session:
    if not session.user.acts:
        raise Problem(
            403,
            "Refused",
            f"Your role is {session.user.role}: only an operator may change something.",
            "Ask an operator, or the administrator for that role (DASHBOARD_USERS).",
        )
    return session


Operator = Annotated[Session, Depends(_operator)]


def is_same(given: str, expected: str) -> bool:
    """Compare two secrets, in time that does not say where they differ."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())
