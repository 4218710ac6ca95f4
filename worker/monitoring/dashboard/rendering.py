"""Templates: every text is escaped, made visible and bounded before it is part of a page."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from markupsafe import escape as escape_html

from worker.escaping import escape, escape_lines

_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"
_LONGEST = 500
_LONGEST_TEXT = 65_536


def _bounded(text: str, longest: int) -> str:
    more = len(text) - longest
    return text if more <= 0 else f"{text[:longest]}… ({more:,} more characters)"


def _shown(value: object) -> object:
    """Return what an expression of a template becomes: foreign text on one line, without invisible characters."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _bounded(escape(value), _LONGEST)
    return value


def _lines(text: str) -> Markup:
    """Return a text with its line breaks, such as a traceback."""
    return escape_html(escape_lines(_bounded(text, _LONGEST_TEXT)))


def _query(text: str) -> Markup:
    """Return a text as the value of a parameter in an address, whole: a part of an id is another id."""
    return Markup(quote(text, safe="", errors="surrogateescape"))  # noqa: S704 (only letters, digits, % and -._~)


def _number(value: float) -> str:
    return f"{value:,}"


_environment = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
# `exact` is for the fields of forms, which must not change what they hold.
_environment.filters |= {"lines": _lines, "query": _query, "number": _number, "exact": escape_html}

_PAGES = (
    ("/", "Overview"),
    ("/queues", "Queues"),
    ("/jobs", "Jobs"),
    ("/dead", "Dead letters"),
    ("/imports", "Imports"),
    ("/schedules", "Schedules"),
    ("/hospitals", "Hospitals"),
    ("/workers", "Workers"),
    ("/actions", "Actions"),
)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page. `request.state.session` is who it is for, if somebody is logged in."""
    session = getattr(request.state, "session", None)
    shown = {
        "session": session,
        "notice": session.take_notice() if session else "",
        "pages": _PAGES,
        "path": request.url.path,
        **values,
    }
    return HTMLResponse(render_part(template, **shown), status_code=status)


def render_part(template: str, **values: Any) -> str:
    """Return a template as text."""
    return _environment.get_template(template).render(values)
