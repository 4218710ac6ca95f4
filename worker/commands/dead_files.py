"""`hospital-worker dead export` and `dead import`: dead letters as a file, and back."""

import os
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from worker.acting_options import acting_options
from worker.codec import Codec
from worker.commands.dead_options import filter_options
from worker.commands.support import queue_connection, run, shown_text
from worker.contract.acting import Acting
from worker.errors import ConfigurationError
from worker.escaping import escape_json
from worker.failing import EXIT_FAILED, fail
from worker.queue.actions import keep_action, keep_end
from worker.queue.dead_letter_filter import DeadLetterFilter
from worker.queue.dead_letter_store import DeadLetterNotFound, DeadLetterStore
from worker.queue.exported_dead_letters import ImportedDeadLetter, InvalidExport, exported, imported
from worker.settings import load_settings
from worker.shared_options import takes

# Private, because dead letters contain payloads. New, so that a repeated command does not overwrite an earlier
# export.
_NEW_PRIVATE_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_GROUP = 100


@takes(filter_options, argument="wanted")
def export(
    wanted: DeadLetterFilter,
    file: Annotated[Path | None, typer.Argument(help="Output file; standard output if omitted.")] = None,
) -> None:
    """Export dead letters with payloads, one JSON object per line.

    A payload is readable, as `message`, if the QUEUE_SIGNING_KEYS verify it; otherwise it is in base64. `dead
    import` takes the file.
    """

    async def write() -> int:
        count = 0
        target = os.fdopen(os.open(file, _NEW_PRIVATE_FILE, 0o600), "w", encoding="utf-8") if file else sys.stdout
        try:
            async with queue_connection() as (redis, settings):
                store, codec = DeadLetterStore(redis), Codec(settings.signing_secrets())
                async for page in store.pages(wanted):
                    for found in page:
                        try:
                            whole = await store.get(found.dead_letter.job_id)
                        except DeadLetterNotFound:
                            # Retried or discarded since it was listed.
                            continue
                        target.write(escape_json(orjson.dumps(exported(whole, codec)).decode()) + "\n")
                        count += 1
            # So that a reader that has ended is noticed before the number is reported.
            target.flush()
        finally:
            if file:
                target.close()
        return count

    if file is not None and file.exists():
        fail(f"{file}: already exists; choose another name")
    typer.echo(f"{run(write):,} exported", err=True)


@takes(acting_options, argument="acting")
def import_dead_letters(
    file: Annotated[Path, typer.Argument(help="What `dead export` wrote, or a file of WORKER_DEAD_LETTER_FOLDER.")],
    acting: Acting,
) -> None:
    """Store exported dead letters again, to be retried or discarded.

    A readable payload is signed with the first of the QUEUE_SIGNING_KEYS. A dead letter is left out if there is
    one, or a job, of its id. Nothing is stored if a line is not a dead letter. Lines that are added to the file
    meanwhile are not read.

    Exit code 0: done; 1: the file changed while it was read; 2: nothing was done, or Redis
    failed meanwhile, and it can be repeated.
    """

    async def store() -> tuple[int, int]:
        codec = Codec(load_settings().signing_secrets())
        # Opened once, so that both looks are at the same file even if its name is given to another.
        with file.open("rb") as lines:
            if not lines.seekable():
                raise ConfigurationError(
                    f"{file}: is a pipe, but the lines are read twice: save them in a file first"
                )
            total = _checked(file, lines, codec)
            async with queue_connection() as (redis, _):
                where = {"file": shown_text(str(file))}
                await keep_action(
                    redis, acting.on("import", "dead letters", selection=where, count=total, result="begun")
                )
                lines.seek(0)
                count, is_whole = await _import(DeadLetterStore(redis), lines, codec, total)
                result = "finished" if is_whole else "the file changed"
                ended = acting.on("import", "dead letters", selection=where, count=count, result=result)
                await keep_end(redis, ended)
        if not is_whole:
            changed = "the file has changed while it was read"
            fail(f"{file}: {changed}; {count:,} imported; repeat the import", EXIT_FAILED)
        return count, total

    count, total = run(store)
    left_out = (
        f"; {total - count:,} left out: there is a dead letter, or a job, of that id" if count < total else ""
    )
    typer.echo(f"{count:,} imported{left_out}")


def _checked(file: Path, lines: BinaryIO, codec: Codec) -> int:
    """Return how many lines a file has. Raises `ConfigurationError` if one is not a dead letter."""
    number = 0
    for number, line in enumerate(lines, start=1):
        try:
            imported(line, codec)
        except InvalidExport as error:
            raise ConfigurationError(f"{file}, line {number}: {error}; nothing was imported") from None
    return number


async def _import(store: DeadLetterStore, lines: BinaryIO, codec: Codec, total: int) -> tuple[int, bool]:
    """Store the first `total` lines, which were checked; returns how many were stored, and whether all were read.

    Not all are if the file has changed since. Lines that were added to it since are not read: a worker may be
    writing one.
    """
    count = read = 0
    while read < total:
        group: list[ImportedDeadLetter] = []
        for line in islice(lines, min(_GROUP, total - read)):
            try:
                group.append(imported(line, codec))
            except InvalidExport:
                return count, False
        if not group:
            return count, False
        count, read = count + await store.store(group), read + len(group)
    return count, True
