"""`hospital-worker dead export` and `dead import`: dead letters as a file, and back."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer

from worker.acting_options import acting_options
from worker.codec import Codec
from worker.commands.dead_options import filter_options
from worker.commands.support import queue_connection, run, shown_text
from worker.contract.acting import Acting
from worker.errors import ConfigurationError
from worker.escaping import escape_json
from worker.failing import fail
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
    one, or a job, of its id. Nothing is stored if a line is not a dead letter.
    """

    async def store() -> tuple[int, int]:
        codec = Codec(load_settings().signing_secrets())
        total = sum(1 for _ in _read(file, codec))
        async with queue_connection() as (redis, _):
            where = {"file": shown_text(str(file))}
            await keep_action(
                redis, acting.on("import", "dead letters", selection=where, count=total, result="begun")
            )
            store, count = DeadLetterStore(redis), 0
            group: list[ImportedDeadLetter] = []
            for dead_letter in _read(file, codec):
                group.append(dead_letter)
                if len(group) == _GROUP:
                    count += await store.store(group)
                    group = []
            count += await store.store(group)
            ended = acting.on("import", "dead letters", selection=where, count=count, result="finished")
            await keep_end(redis, ended)
            return count, total

    count, total = run(store)
    left_out = (
        f"; {total - count:,} left out: there is a dead letter, or a job, of that id" if count < total else ""
    )
    typer.echo(f"{count:,} imported{left_out}")


def _read(file: Path, codec: Codec) -> Iterator[ImportedDeadLetter]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield imported(line, codec)
            except InvalidExport as error:
                raise ConfigurationError(f"{file}, line {number}: {error}; nothing was imported") from None
