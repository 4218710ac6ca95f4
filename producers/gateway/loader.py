"""Imports one uploaded file, in a process of its own: `python -m producers.gateway.loader`.

Reading a list keeps a processor busy for seconds, in which the gateway answers others. This process gets an `Order`
on standard input, and writes an `Answer` to standard output once the import has begun, or cannot begin. It goes on
until the import has ended, whatever happens to workers and servers meanwhile. SIGTERM ends it; the same file
continues the import.
"""

import asyncio
import math
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from producers.client import HospitalProducer
from producers.files import FileError, HospitalFile
from producers.gateway.upload_options import UploadOptions
from producers.identities import check_identities
from producers.imports import FileImport, ImportStalled
from worker.backoff import Backoff
from worker.contract import OnExisting
from worker.contract.imports import Import
from worker.errors import OutageError, RegistryError
from worker.settings import load_settings
from worker.supervisor import exit_with_parent

# For so long a client waits to be told that no worker runs.
_BEGINS_WITHIN_S = 30.0
_BACKOFF = Backoff(first_s=1, longest_s=30)


class Order(BaseModel):
    """What to import, for the gateway that is the process `parent`. The folder of `path` is removed in the end.

    `settings` are those of the gateway, with their secrets.
    """

    parent: int
    settings: dict[str, Any]
    path: Path
    options: UploadOptions
    started_by: str


class Begun(BaseModel):
    """An import that has begun, or was continued; `notes` are on how the file is read."""

    found: Import
    resumed: bool
    notes: list[str]


class Answer(BaseModel):
    """The import that has begun, or why it has not.

    `refused`: because of the file; `stalled`: no worker answers; `unavailable`: the servers, in words for a log.
    """

    state: Literal["begun", "refused", "stalled", "unavailable"]
    why: str = ""
    begun: Begun | None = None


def main() -> None:
    """Do what standard input says."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    exit_with_parent(order.parent)
    # Ctrl-C in a terminal is for the gateway, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        is_interrupted = asyncio.run(_until_told(order))
    finally:
        shutil.rmtree(order.path.parent, ignore_errors=True)
    sys.exit(is_interrupted)


async def _until_told(order: Order) -> bool:
    task = asyncio.ensure_future(_import(order))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.wait([task])
    if task.cancelled():
        return True
    task.result()
    return False


async def _import(order: Order) -> None:
    try:
        file = HospitalFile.open(order.path, order.options.wishes())
    except FileError as error:
        _tell(Answer(state="refused", why=error.problem))
        return
    # The upload was accepted: it waits for room on the queue as it waits for workers.
    async with HospitalProducer.connect(
        load_settings(**order.settings), lazy=True, patience_when_full=math.inf
    ) as producer:
        loading = FileImport(
            producer,
            file,
            on_existing=order.options.on_existing,
            started_by=order.started_by,
            wait_s=_BEGINS_WITHIN_S,
            on_progress=_ignore,
        )
        if await _begin(producer, file, loading, order.options.on_existing):
            await _go_on(loading)


async def _begin(
    producer: HospitalProducer, file: HospitalFile, loading: FileImport, on_existing: OnExisting
) -> bool:
    try:
        more = await check_identities(producer, file, on_existing=on_existing, wait_s=_BEGINS_WITHIN_S)
        found = await loading.begin()
    except FileError as error:
        _tell(Answer(state="refused", why=error.problem))
    except ImportStalled as error:
        _tell(Answer(state="stalled", why=str(error)))
    except RegistryError as error:
        _tell(Answer(state="unavailable", why=str(error)))
    else:
        begun = Begun(found=found, resumed=loading.resumed, notes=[*file.notes, *more])
        _tell(Answer(state="begun", begun=begun))
        return True
    return False


async def _go_on(loading: FileImport) -> None:
    failures = 0
    while True:
        try:
            await loading.run()
        except (ImportStalled, OutageError):
            # The client was told that the import has begun, so it goes on when servers and workers are back.
            failures += 1
            await asyncio.sleep(_BACKOFF.delay_s(failures))
        else:
            return


def _tell(answer: Answer) -> None:
    sys.stdout.buffer.write(answer.model_dump_json().encode() + b"\n")
    sys.stdout.buffer.flush()


def _ignore(_line: int) -> None:
    """How far the import is, its batch says."""


if __name__ == "__main__":
    main()
