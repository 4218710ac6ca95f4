"""Log in and log out."""

import re
import secrets
from typing import Annotated

import structlog
from fastapi import APIRouter, Cookie, Query, Request
from fastapi.responses import RedirectResponse, Response

from worker.monitoring.dashboard import passwords
from worker.monitoring.dashboard.access import LoggedIn, PostedForm, SharedServices, is_same, read_form
from worker.monitoring.dashboard.rendering import render
from worker.monitoring.dashboard.services import Services
from worker.own_thread import in_own_thread

router = APIRouter()
_log = structlog.stdlib.get_logger(__name__)
# The token of the form before there is a session, which only a page of this host can have read.
_FORM_COOKIE = "hospital-login"
# A path of this host: browsers take `//host` and `/\host` for another one, also with a tab between.
_WAY_BACK = re.compile(r"/(?![/\\])[!-~]*")


@router.get("/login")
async def show_login(
    request: Request, services: SharedServices, to: Annotated[str, Query(max_length=5_000)] = ""
) -> Response:
    """Show the form, which leads to the address `to`; if the browser had a session that has ended, say so."""
    return _form(request, services, "", 200, to)


@router.post("/login")
async def log_in(
    request: Request,
    services: SharedServices,
    form_token: Annotated[str, Cookie(alias=_FORM_COOKIE)] = "",
) -> Response:
    """Begin a session if name and password are right."""
    form = await read_form(request)
    to = form.get("to", "")
    if not form_token or not is_same(form.get("csrf", ""), form_token):
        return _form(request, services, "The form had expired. Log in again; cookies must be allowed.", 403, to)
    name, password = form.get("name", "")[:200], form.get("password", "")[: passwords.LONGEST]
    wait_s = services.login_limit.try_now(name, request.client.host if request.client else "")
    if wait_s:
        return _form(request, services, f"Too many tries. Try again in {wait_s:.0f} s.", 429, to)
    user = await in_own_thread(services.users.find, name, password)
    if user is None:
        _log.warning("a log-in failed", action="dashboard_login_failed")
        return _form(request, services, "Name or password is wrong.", 401, to)
    services.login_limit.succeeded(name)
    _log.info("a user logged in", action="dashboard_login", user=user.name, role=user.role)
    response = RedirectResponse(to if _WAY_BACK.fullmatch(to) else "/", status_code=303)
    # The one before, of another user perhaps, would stay open for whoever has copied its cookie.
    services.sessions.close(request.cookies.get(services.session_cookie, ""))
    _set_cookie(response, services, services.session_cookie, services.sessions.open(user))
    response.delete_cookie(_FORM_COOKIE)
    return response


@router.post("/logout")
async def log_out(request: Request, services: SharedServices, session: LoggedIn, _form: PostedForm) -> Response:
    """End the session."""
    services.sessions.close(request.cookies.get(services.session_cookie, ""))
    _log.info("a user logged out", action="dashboard_logout", user=session.user.name)
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(services.session_cookie, secure=services.is_secure, httponly=True, samesite="strict")
    return response


def _form(request: Request, services: Services, problem: str, status: int, to: str) -> Response:
    token = secrets.token_urlsafe(32)
    session = request.cookies.get(services.session_cookie, "")
    response = render(
        request,
        "login.html",
        status=status,
        problem=problem,
        token=token,
        to=to,
        has_ended=bool(session) and services.sessions.find(session, is_use=False) is None,
        idle_minutes=services.settings.dashboard_idle_minutes,
    )
    _set_cookie(response, services, _FORM_COOKIE, token)
    return response


def _set_cookie(response: Response, services: Services, name: str, value: str) -> None:
    response.set_cookie(name, value, httponly=True, samesite="strict", secure=services.is_secure, path="/")
