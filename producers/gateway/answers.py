"""Answers as JSON."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi.responses import Response
from pydantic import BaseModel

from worker.mongo.plain_json import plain


def to_json(content: object) -> bytes:
    """Return content as JSON: models by their fields, and values of stored documents as `plain` has them."""
    return orjson.dumps(content, _plain, orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS)


def answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with this content."""
    return Response(to_json(content), status, headers, "application/json")


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else plain(value)
