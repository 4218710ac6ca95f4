"""`hospital-producer register`: register one hospital, or all hospitals of a file."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from producers import ctrl_c
from producers.commands import support
from producers.commands.one_job import ActorOption, ReasonOption, run_one
from producers.commands.support import (
    DONE,
    INTERRUPTED,
    NOTHING,
    PARTLY,
    JsonOption,
    WaitOption,
    before_sending,
    pairs,
    show,
)
from producers.console import print_error, print_note, progress_bar, show_rejects
from producers.file_options import takes_file_options
from producers.files import FileError, FileWishes, HospitalFile, RejectWriter, rejects_path
from producers.from_text import record_from_text
from producers.registering import DEFAULT_ACT, check_act, registration
from worker.contract import REGISTER_HOSPITAL

if TYPE_CHECKING:
    from producers.registering import RegistrationRun


@takes_file_options
def register(  # noqa: PLR0913  # a parameter for each option
    *,
    actor: ActorOption,
    reason: ReasonOption,
    wishes: FileWishes,
    name: Annotated[str | None, typer.Option(help="the hospital's name")] = None,
    external_id: Annotated[str | None, typer.Option(help="the source's identifier of the hospital")] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="another field; repeatable")
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="register all hospitals of a file instead")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="file for rejected rows; default: FILE.rejects.ndjson")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            help="calls with the same key are one operation; default: a new key, but for the rows of a file one "
            "made of their content, actor and reason",
        ),
    ] = None,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Register one hospital, or all hospitals of a file, each with an audit log entry."""
    one = name is not None or external_id is not None or bool(fields)
    if one == (path is not None):
        raise TyperException("give either --name and the fields of one hospital, or --file")
    if path is None:
        named = {"hospital_name": name, "source": wishes.columns.source, "external_id": external_id}
        known = {field: text for field, text in named.items() if text is not None}
        payload = registration(record_from_text(known | pairs("--set", fields)), actor=actor, reason=reason)
        return run_one(
            REGISTER_HOSPITAL, payload, "Registration", done="registered", key=key, wait=wait, as_json=as_json
        )
    act = DEFAULT_ACT if key is None else key
    check_act(act)
    with before_sending(path):
        file = HospitalFile.open(path, wishes)
    with RejectWriter(_rejects_beside(path, rejects)) as writer:
        return _register_file(file, writer, act=act, actor=actor, reason=reason, wait=wait, as_json=as_json)


def _rejects_beside(path: Path, rejects: Path | None) -> Path:
    """Return the file for rejected rows. It is never the input file, which would be emptied before it is read."""
    if rejects is not None and rejects.exists() and rejects.samefile(path):
        raise FileError(rejects, "is the input file; choose another file with --rejects")
    return rejects or rejects_path(path)


def _register_file(
    file: HospitalFile, rejects: RejectWriter, *, act: str, actor: str, reason: str, wait: float, as_json: bool
) -> int:
    registering: RegistrationRun | None = None

    async def run() -> None:
        nonlocal registering
        from producers.identities import check_identities  # noqa: PLC0415  # as in `support.connect`
        from producers.registering import RegistrationRun  # noqa: PLC0415

        async with support.connect() as producer:
            for note in await check_identities(producer, file, on_existing="keep", wait_s=wait):
                print_note(note)
            with progress_bar(file.lines) as on_progress:
                registering = RegistrationRun(
                    producer, file, rejects, act=act, actor=actor, reason=reason, wait=wait, on_progress=on_progress
                )
                await registering.run()

    interrupted = False
    try:
        ctrl_c.run(run())
    except KeyboardInterrupt:
        interrupted = True
    if registering is None:
        print_error("interrupted before anything was sent")
        return INTERRUPTED
    summary = registering.summary()
    facts = {
        "rows": summary.rows,
        "registered": summary.registered,
        "already_registered": summary.already_registered,
        "conflicts": summary.conflicts,
        **asdict(summary),
        # Of the time when one job had several rows; programs may read it.
        "lost": 0,
        "columns_left_out": list(file.columns.left_out),
        "rejects_file": str(rejects.path) if rejects.count else None,
    }
    for note in file.notes:
        print_note(note)
    show(f"Registered {file.path}{', interrupted' * interrupted}", facts, as_json=as_json)
    show_rejects(rejects)
    if summary.already_registered:
        print_note(
            f"already registered under the same key: {summary.already_registered:,}; nothing was changed or logged "
            "for these rows. To register them once more, give another --reason or --idempotency-key"
        )
    if summary.trouble is not None:
        print_error(summary.trouble)
    if interrupted:
        return INTERRUPTED
    if not summary.done and not summary.pending and not registering.may_be_queued:
        return NOTHING
    return DONE if summary.complete else PARTLY
