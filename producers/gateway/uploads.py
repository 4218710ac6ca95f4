"""The imports of uploaded files: each is a process that reads the file and enqueues its rows."""

import asyncio
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

import structlog
from pydantic import SecretStr, ValidationError

from producers.gateway.loader import Answer, Begun, Order
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.problems import Problem, invalid_field, unavailable
from producers.gateway.spooled import Spooled
from producers.gateway.upload_options import UploadOptions
from worker.settings import Settings

_log = structlog.stdlib.get_logger(__name__)

MOST_UPLOADS = 4
"""Each may take a processor, and as much of the disk as one file may have."""
_LONGEST_ANSWER = 4 * 1024 * 1024
# After SIGTERM; killing it loses nothing.
_ENDS_WITHIN_S = 5.0


class Uploads:
    """Takes a few files at a time. What runs when the gateway ends is interrupted: the same file continues it."""

    def __init__(self, settings: Settings, metrics: GatewayMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._places = MOST_UPLOADS
        self._running: dict[asyncio.subprocess.Process, asyncio.Task[None]] = {}

    def take_place(self) -> "Place":
        """Return a place for one upload. Raises `Problem` if there is none."""
        if not self._places:
            raise unavailable(f"{MOST_UPLOADS} files are received or imported: send this one later.")
        return Place(self)

    def take(self, count: int) -> None:
        """Take places, or give them back if the number is negative."""
        self._places -= count
        self._metrics.uploads.inc(count)

    async def begin(self, place: "Place", file: Spooled, options: UploadOptions, started_by: str) -> Begun:
        """Begin the import of a file, and return what has begun. Raises `Problem` if it cannot begin.

        Takes the file and the place, if it has begun, until the import has ended.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "producers.gateway.loader"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_ANSWER,
        )
        try:
            begun = await _ask(process, self._order(file.path, options, started_by))
        except BaseException:
            await _end(process)
            raise
        file.is_taken = place.is_taken = True
        self._running[process] = asyncio.create_task(self._until_end(process, place, file.path, begun))
        return begun

    async def close(self) -> None:
        """End what runs."""
        running = dict(self._running)
        await asyncio.gather(*map(_end, running))
        await asyncio.gather(*running.values())

    def _order(self, path: Path, options: UploadOptions, started_by: str) -> Order:
        settings = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self._settings.model_dump(exclude={"gateway_keys", "dashboard_users"}).items()
        }
        settings["queue_signing_keys"] = self._settings.signing_secrets()
        return Order(parent=os.getpid(), settings=settings, path=path, options=options, started_by=started_by)

    async def _until_end(
        self, process: asyncio.subprocess.Process, place: "Place", path: Path, begun: Begun
    ) -> None:
        code = await process.wait()
        del self._running[process]
        place.give_back()
        shutil.rmtree(path.parent, ignore_errors=True)
        import_id = begun.found.import_id
        if code:
            _log.warning(
                "an import was interrupted; the same file continues it",
                action="gateway_import_interrupted",
                import_id=import_id,
                code=code,
            )
        else:
            _log.info("an import has ended", action="gateway_import_ended", import_id=import_id)


class Place:
    """A place of one upload: given back when the request ends, unless its import has taken it."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self.is_taken = False

    def __enter__(self) -> "Place":
        """Take it."""
        self._uploads.take(1)
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back, unless it is taken for longer."""
        if not self.is_taken:
            self.give_back()

    def give_back(self) -> None:
        """Give it back."""
        self._uploads.take(-1)


async def _ask(process: asyncio.subprocess.Process, order: Order) -> Begun:
    stdin = cast(asyncio.StreamWriter, process.stdin)
    stdout = cast(asyncio.StreamReader, process.stdout)
    stdin.write(order.model_dump_json().encode())
    stdin.write_eof()
    line = await stdout.readline()
    try:
        answer = Answer.model_validate_json(line)
    except ValidationError:
        # It has ended, and its traceback is in the log.
        raise Problem(500, "internal-error", "The file could not be read: see the log of the gateway.") from None
    if answer.state == "refused":
        raise invalid_field("file", answer.why)
    if answer.state == "stalled":
        raise unavailable(answer.why)
    if answer.begun is None:
        _log.warning("an upload is refused", action="gateway_unavailable", reason=answer.why)
        raise unavailable("The queue is unavailable. Send the file again.")
    return answer.begun


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_ENDS_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
