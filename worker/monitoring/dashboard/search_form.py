"""What the forms that search the past have in common: a range of time, and pages by cursor."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from worker.monitoring.dashboard.problems import Problem
from worker.monitoring.times import parse_instant

Text = Annotated[str, Query(max_length=2_000)]


@dataclass(frozen=True, slots=True)
class SearchForm:
    """A range of time, as the form has it, and the cursor of the page before."""

    since: Text = ""
    until: Text = ""
    after: Text = ""

    def address(self, after: str = "") -> str:
        """Return the query of the page after a cursor."""
        given = {field.name: getattr(self, field.name) for field in fields(self)} | {"after": after}
        return urlencode({name: value for name, value in given.items() if value})


def read_instant(text: str) -> datetime | None:
    """Return the instant in a field of a form, in UTC; `None` if it is empty. Raises `Problem` if it is invalid."""
    try:
        return parse_instant(text.strip()) if text.strip() else None
    except ValueError:
        raise Problem(
            400, "Invalid time", "A time could not be read.", "Give one such as 2025-06-30 or 2025-06-30T14:00."
        ) from None
