"""`hospital-worker audit …`: what was done to a hospital, and whether the log of it is whole."""

import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.commands.support import EXIT_FAILED, console, fail, run
from worker.errors import ConfigurationError
from worker.escaping import escape
from worker.mongo.audit.canonical_form import canonical
from worker.mongo.audit.chain import Finding, Head
from worker.mongo.audit.history import FieldChange, field_changes, find_hospital_id, read_history
from worker.mongo.audit.verification import ChainReport, read_heads, verify_chain
from worker.mongo.client import Document, MongoHandle, open_mongo
from worker.mongo.startup import check_mongo
from worker.settings import load_settings

_PROGRESS_S = 0.2

app = typer.Typer(no_args_is_help=True, help="Show a hospital's history, and verify that the log of it is whole.")

Given = Annotated[
    str, typer.Argument(metavar="HOSPITAL", help="source:external_id, or the name of one without these.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def show(hospital: Given, as_json: AsJson = False) -> None:
    """Show who did what to a hospital, when and why, and what it changed; refused attempts too."""

    async def tell() -> int:
        entries = 0
        async with _registry() as mongo:
            hospital_id = await find_hospital_id(mongo, hospital)
            if hospital_id is None:
                return 0
            async for entry in read_history(mongo, hospital_id):
                entries += 1
                if as_json:
                    _tell_json(entry)
                else:
                    _tell(entry)
        return entries

    if not run(tell):
        fail(
            f"the log has no entry of {escape(hospital)!r}: give source:external_id, or the name of "
            "a hospital without these; one that was only ingested has no entry",
            EXIT_FAILED,
        )


@app.command()
def verify(
    hospital: Annotated[
        str | None, typer.Argument(help="source:external_id, or the name of a hospital without these.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every hospital.")] = False,
    heads: Annotated[
        Path | None, typer.Option(help="What `audit heads` printed earlier: every chain must still hold its head.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no entry of the log was changed, moved, forged or removed, and that hospitals are as logged.

    Each finding names a hospital and its first bad entry. Workers may go on writing.

    What cannot be found without --heads: entries removed from the end of a chain that changed nothing (refused
    attempts), or along with a hospital that was put back as it was before them; a hospital whose entries and
    document are both gone; a chain whose hashes were all computed anew.

    Exit code 0: all is well; 1: findings; 2: it could not be checked.
    """
    if (hospital is None) != everything:
        fail("say which: one hospital, or --all")
    progress = _Progress()

    def found(finding: Finding) -> None:
        progress.clear()
        if as_json:
            typer.echo(_ascii(json.dumps(asdict(finding))))
        else:
            entry = "" if finding.log_id is None else f" entry {finding.seq} ({finding.log_id}):"
            typer.echo(escape(f"{finding.hospital_id}:{entry} {finding.problem}: {finding.detail}"))

    async def check() -> ChainReport:
        async with _registry() as mongo:
            hospital_id = None if hospital is None else await find_hospital_id(mongo, hospital)
            expected = _read_heads(heads) if heads is not None else ()
            report = await verify_chain(
                mongo, hospital_id or hospital, heads=expected, found=found, progress=progress.tell
            )
        if hospital is not None and hospital_id is None and report.ok:
            fail(f"neither the log nor the registry has {escape(hospital)!r}: nothing to verify")
        return report

    try:
        report = run(check)
    finally:
        progress.clear()
    if as_json:
        summary = {"entries": report.entries, "chains": report.chains, "findings": report.findings}
        typer.echo(json.dumps(summary))
    else:
        verdict = "all is well" if report.ok else f"findings: {report.findings:,}"
        typer.echo(f"entries: {report.entries:,}, chains: {report.chains:,}, {verdict}")
    if not report.ok:
        raise SystemExit(EXIT_FAILED)


@app.command("heads")
def print_heads() -> None:
    """Print the head of every chain, one JSON object a line.

    Keep it out of reach of who can write to the database: `verify --heads` then finds what was cut or rewritten.
    """

    async def tell() -> None:
        async with _registry() as mongo:
            async for head in read_heads(mongo):
                typer.echo(_ascii(json.dumps(asdict(head))))

    run(tell)


class _Progress:
    """One line on standard error that tells how far a check is, if a person watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._told = time.monotonic()
        self._shown = False

    def tell(self, entries: int) -> None:
        if self._watched and time.monotonic() - self._told >= _PROGRESS_S:
            typer.echo(f"\r{entries:,} entries checked", nl=False, err=True)
            self._told = time.monotonic()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            typer.echo("\r\x1b[K", nl=False, err=True)
            self._shown = False


@asynccontextmanager
async def _registry() -> AsyncIterator[MongoHandle]:
    settings = load_settings()
    mongo = open_mongo(settings)
    try:
        await check_mongo(mongo, settings)
        yield mongo
    finally:
        await mongo.close()


def _read_heads(file: Path) -> Iterator[Head]:
    last = ""
    # What is not ASCII becomes no valid JSON.
    with file.open(encoding="ascii", errors="backslashreplace") as lines:
        for number, line in enumerate(lines, start=1):
            head = _head(line)
            if head is None:
                raise ConfigurationError(f"{file}, line {number}: not a line that `audit heads` prints")
            if head.hospital_id <= last:
                raise ConfigurationError(
                    f"{file}, line {number}: out of order; keep what `audit heads` prints as it is"
                )
            last = head.hospital_id
            yield head
    if not last:
        # What a failed export left: without a word it would vouch for everything.
        raise ConfigurationError(f"{file}: holds no heads, so nothing can be held against them")


def _head(line: str) -> Head | None:
    try:
        match json.loads(line):
            case {"hospital_id": str(hospital_id), "seq": int(seq), "hash": str(digest)} if hospital_id:
                return Head(hospital_id, seq, digest)
    except ValueError:
        pass
    return None


def _tell_json(entry: Document) -> None:
    try:
        typer.echo(_ascii(canonical(entry)))
    except (TypeError, ValueError):
        fail(f"entry {escape(str(entry['_id']))} holds what no entry can: run `hospital-worker audit verify`")


def _tell(entry: Document) -> None:
    out = console()
    event = str(entry.get("event"))
    style = "bold red" if event.endswith("_rejected") else "bold green"
    out.print(
        Text.assemble(
            f"{_value(entry.get('seq'))}  {_value(entry.get('at'))}  ",
            (escape(event), style),
            f"  by {escape(str(entry.get('actor')))}: {escape(str(entry.get('reason')))}",
        )
    )
    out.print(Text(escape(f"   {entry['_id']}"), "dim"))
    changes = field_changes(entry.get("before"), entry.get("after"))
    width = max((len(change.name) for change in changes), default=0)
    for change in changes:
        out.print(_change(change, width))
    if not changes:
        out.print(Text(f"   changed nothing: {_met(entry.get('before'))}"))


def _change(change: FieldChange, width: int) -> Text:
    name = escape(change.name.ljust(width))
    match change:
        case FieldChange(before=[], after=[after]):
            return Text(f"   + {name}  {_value(after)}", "green")
        case FieldChange(before=[before], after=[]):
            return Text(f"   - {name}  {_value(before)}", "red")
    return Text(f"   ~ {name}  {_value(change.before[0])} → {_value(change.after[0])}", "yellow")


def _met(hospital: object) -> str:
    if not isinstance(hospital, dict):
        return "there was no such hospital"
    return f"the hospital was {_value(hospital.get('status'))} at revision {_value(hospital.get('revision'))}"


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return escape(json.dumps(value, ensure_ascii=False, default=str))


def _ascii(line: str) -> str:
    # The one control character that JSON leaves as it is.
    return line.replace("\x7f", "\\u007f")
