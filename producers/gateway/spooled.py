"""The body of an upload, in a private temporary folder under its own name."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from email.message import Message
from pathlib import Path
from typing import BinaryIO

import structlog
from fastapi import Request
from starlette.requests import ClientDisconnect

from producers.files.spooling import UPLOAD_PREFIX
from producers.gateway.problems import Problem, invalid_field, not_whole, unavailable

_log = structlog.stdlib.get_logger(__name__)

# Between two parts of a body. A client that sends nothing holds one of a few places.
_LONGEST_SILENCE_S = 30.0
_LONGEST_NAME = 200


class Spooled:
    """A file that was received. Its folder is removed with it, unless another process has taken it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_taken = False


@asynccontextmanager
async def spooled(request: Request, name: str) -> AsyncIterator[Spooled]:
    """Receive the body of a request into a file. Raises `Problem` if it is not whole, or not sent in time."""
    # Readable by this user alone.
    file = Spooled(Path(tempfile.mkdtemp(prefix=UPLOAD_PREFIX)) / name)
    try:
        await _receive(request, file.path)
        yield file
    finally:
        if not file.is_taken:
            shutil.rmtree(file.path.parent, ignore_errors=True)


async def _receive(request: Request, path: Path) -> None:
    try:
        with path.open("xb") as file:
            size = await _copy(request.stream(), file)
    except ClientDisconnect:
        raise not_whole() from None
    except TimeoutError:
        raise Problem(408, "too-slow", f"Nothing of the body has arrived for {_LONGEST_SILENCE_S:g} s.") from None
    except OSError as error:
        _log.warning("an upload cannot be kept", action="gateway_upload_refused", error=error.strerror)
        raise unavailable("The gateway has no room for this file.") from None
    if not size:
        raise invalid_field("body", "is empty: send the file as it is")


async def _copy(parts: AsyncGenerator[bytes, None], file: BinaryIO) -> int:
    """Write all parts to a file, and return their size. Raises `TimeoutError` if one does not arrive."""
    size = 0
    while True:
        async with asyncio.timeout(_LONGEST_SILENCE_S):
            part = await anext(parts, None)
        if part is None:
            return size
        # Small, and written to memory: the system writes it to the disk.
        size += file.write(part)


def file_name(disposition: str | None, given: str | None) -> str:
    """Return the name of an uploaded file, from its header or the query. Raises `Problem` if it is none."""
    name = given if given is not None else _in_header(disposition or "")
    if name is None:
        raise invalid_field("name", "name the file, as in ?name=list.csv or Content-Disposition: filename=list.csv")
    is_plain = name.isprintable() and not set(name) & set("/\\") and not name.startswith(".")
    if not name or not is_plain or len(name.encode()) > _LONGEST_NAME:
        raise invalid_field("name", "expected the name of a file, without folders, such as list.csv")
    return name


def _in_header(disposition: str) -> str | None:
    message = Message()
    message["Content-Disposition"] = disposition
    return message.get_filename()
