"""`hospital-worker audit …`: a hospital's history, and verification of the audit log."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.commands.audit_entries import export, list_entries
from worker.commands.registry_connection import registry_connection
from worker.commands.support import console, run
from worker.errors import ConfigurationError
from worker.escaping import escape
from worker.failing import EXIT_FAILED, fail
from worker.help_group import HelpGroup
from worker.mongo.audit.canonical_form import canonical
from worker.mongo.audit.chain import Finding, Head
from worker.mongo.audit.history import FieldChange, field_changes, find_hospital_id, read_history
from worker.mongo.audit.verification import ChainReport, read_heads, verify_chain
from worker.mongo.client import Document
from worker.mongo.plain_json import shown_instant

_PROGRESS_S = 0.2

app = typer.Typer(cls=HelpGroup, no_args_is_help=True, help="Show, list, export and verify the audit log.")

HospitalArgument = Annotated[
    str,
    typer.Argument(metavar="HOSPITAL", help="source:external_id, or the name of a hospital without an identifier."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@app.command()
def show(hospital: HospitalArgument, as_json: AsJson = False) -> None:
    """Show who changed a hospital, when and why, and what changed. Rejected attempts are included."""

    async def print_history() -> int:
        entries = 0
        async with registry_connection() as mongo:
            hospital_id = await find_hospital_id(mongo, hospital)
            if hospital_id is None:
                return 0
            async with aclosing(read_history(mongo, hospital_id)) as history:
                async for entry in history:
                    entries += 1
                    if as_json:
                        _print_json(entry)
                    else:
                        _print_entry(entry)
        return entries

    if not run(print_history):
        fail(
            f"the audit log has no entry for {escape(hospital)!r}: give source:external_id, or the name of "
            "a hospital without an identifier; a hospital that was only ingested has no entry",
            EXIT_FAILED,
        )


app.command("list")(list_entries)
app.command()(export)


@app.command()
def verify(
    hospital: Annotated[
        str | None, typer.Argument(help="source:external_id, or the name of a hospital without an identifier.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Verify every hospital.")] = False,
    heads: Annotated[
        Path | None,
        typer.Option(help="Earlier output of `audit heads`: every chain must still contain its head."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the audit log, and that hospitals match it.

    Checks that no entry was changed, moved, forged or removed. Each finding names a hospital and its first bad
    entry. Workers may keep writing during the check.

    Without --heads the check cannot detect: entries removed from the end of a chain, if they changed nothing
    (rejected attempts), or if the hospital was also reset to its state before them; a hospital whose entries and
    document are both gone; a chain whose hashes were all recomputed.

    Exit code 0: no findings; 1: findings; 2: the check could not be completed.
    """
    if (hospital is None) != everything:
        fail("give one hospital, or --all")
    progress = _Progress()

    def print_finding(finding: Finding) -> None:
        progress.clear()
        if as_json:
            typer.echo(_ascii(json.dumps(asdict(finding))))
        else:
            entry = "" if finding.log_id is None else f" entry {finding.seq} ({finding.log_id}):"
            typer.echo(escape(f"{finding.hospital_id}:{entry} {finding.problem}: {finding.detail}"))

    async def check() -> ChainReport:
        async with registry_connection() as mongo:
            hospital_id = None if hospital is None else await find_hospital_id(mongo, hospital)
            expected = _read_heads(heads) if heads is not None else ()
            report = await verify_chain(
                mongo, hospital_id or hospital, heads=expected, found=print_finding, progress=progress.update
            )
        if hospital is not None and hospital_id is None and report.ok:
            fail(f"neither the audit log nor the registry contains {escape(hospital)!r}: nothing to verify")
        return report

    try:
        report = run(check)
    finally:
        progress.clear()
    if as_json:
        summary = {"entries": report.entries, "chains": report.chains, "findings": report.findings}
        typer.echo(json.dumps(summary))
    else:
        verdict = "no findings" if report.ok else f"findings: {report.findings:,}"
        typer.echo(f"entries: {report.entries:,}, chains: {report.chains:,}, {verdict}")
    if not report.ok:
        raise SystemExit(EXIT_FAILED)


@app.command("heads")
def print_heads() -> None:
    """Print the head of every chain, one JSON object per line.

    Store the output where users who can write to the database cannot change it. `verify --heads` then detects
    entries that were cut off or rewritten.
    """

    async def print_all() -> None:
        async with registry_connection() as mongo, aclosing(read_heads(mongo)) as heads:
            async for head in heads:
                typer.echo(_ascii(json.dumps(asdict(head))))

    run(print_all)


class _Progress:
    """The progress of a check, as one line on standard error; shown only on a terminal."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._updated = time.monotonic()
        self._shown = False

    def update(self, entries: int) -> None:
        if self._on_terminal and time.monotonic() - self._updated >= _PROGRESS_S:
            typer.echo(f"\r{entries:,} entries checked", nl=False, err=True)
            self._updated = time.monotonic()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            typer.echo("\r\x1b[K", nl=False, err=True)
            self._shown = False


def _read_heads(file: Path) -> Iterator[Head]:
    last = ""
    # A byte that is not ASCII is escaped as \xNN, which is not valid JSON, so its line is refused below.
    with file.open(encoding="ascii", errors="backslashreplace") as lines:
        for number, line in enumerate(lines, start=1):
            head = _head(line)
            if head is None:
                raise ConfigurationError(f"{file}, line {number}: not a line printed by `audit heads`")
            if head.hospital_id <= last:
                raise ConfigurationError(
                    f"{file}, line {number}: out of order; use the output of `audit heads` unchanged"
                )
            last = head.hospital_id
            yield head
    if not last:
        # A failed export leaves an empty file, against which every log would pass.
        raise ConfigurationError(f"{file}: contains no heads, so there is nothing to compare the log with")


def _head(line: str) -> Head | None:
    try:
        match json.loads(line):
            case {"hospital_id": str(hospital_id), "seq": int(seq), "hash": str(digest)} if hospital_id:
                return Head(hospital_id, seq, digest)
    except ValueError:
        pass
    return None


def _print_json(entry: Document) -> None:
    try:
        typer.echo(_ascii(canonical(entry)))
    except (TypeError, ValueError):
        fail(
            f"entry {escape(str(entry['_id']))} contains a value that no audit log entry can have: "
            "run `hospital-worker audit verify`"
        )


def _print_entry(entry: Document) -> None:
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
        out.print(Text(f"   changed nothing: {_state(entry.get('before'))}"))


def _change(change: FieldChange, width: int) -> Text:
    name = escape(change.name.ljust(width))
    match change:
        case FieldChange(before=[], after=[after]):
            return Text(f"   + {name}  {_value(after)}", "green")
        case FieldChange(before=[before], after=[]):
            return Text(f"   - {name}  {_value(before)}", "red")
    return Text(f"   ~ {name}  {_value(change.before[0])} → {_value(change.after[0])}", "yellow")


def _state(hospital: object) -> str:
    if not isinstance(hospital, dict):
        return "the hospital did not exist"
    return f"the hospital was {_value(hospital.get('status'))} at revision {_value(hospital.get('revision'))}"


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return shown_instant(value)
    return escape(json.dumps(value, ensure_ascii=False, default=str))


def _ascii(line: str) -> str:
    # DEL is the only control character that JSON does not escape.
    return line.replace("\x7f", "\\u007f")
