"""`hospital-worker registry …`: reads the hospitals that are stored."""

from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer
from rich.table import Table
from rich.text import Text

from worker.commands.hospital_forms import EXPORT_FORMS, ExportFormat
from worker.commands.instants import instant_option
from worker.commands.registry_connection import registry_connection
from worker.commands.streaming import json_line, output, write_all
from worker.commands.support import console, run
from worker.contract import HospitalType
from worker.contract.validation import parse
from worker.errors import InvalidPayload
from worker.escaping import escape
from worker.failing import EXIT_FAILED, fail
from worker.help_group import HelpGroup
from worker.mongo.audit.history import find_hospital_id
from worker.mongo.client import Document
from worker.mongo.listing import Order, describe_search, find_hospital, list_hospitals
from worker.mongo.plain_json import public
from worker.mongo.reader import HospitalFilter
from worker.shared_options import takes

_WIDTH = 80
_MOST_LISTED = 10_000

app = typer.Typer(cls=HelpGroup, no_args_is_help=True, help="Show, list, search and export the stored hospitals.")

LimitOption = Annotated[int, typer.Option(min=1, max=_MOST_LISTED, help="Show at most so many hospitals.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def _filter(
    *,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    country: Annotated[str | None, typer.Option(help="Only in this country, as it is stored.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state, as it is stored.")] = None,
    city: Annotated[str | None, typer.Option(help="Only in this city, as it is stored.")] = None,
    status: Annotated[Literal["partial", "registered"] | None, typer.Option(help="Only with this status.")] = None,
    hospital_type: Annotated[HospitalType | None, typer.Option("--type", help="Only of this type.")] = None,
    name: Annotated[str | None, typer.Option(help="Only if the name contains this, in any case.")] = None,
    updated_since: Annotated[datetime | None, instant_option("Only if changed then or later; UTC.")] = None,
) -> HospitalFilter:
    """Return what these options select."""
    given = {
        "source": source,
        "country": country,
        "state": state,
        "city": city,
        "status": status,
        "hospital_type": hospital_type,
        "name_contains": name,
        "updated_since": updated_since,
    }
    try:
        return parse(HospitalFilter, given)
    except InvalidPayload as error:
        fail(str(error))


@app.command()
def get(
    hospital: Annotated[
        str,
        typer.Argument(metavar="ID", help="source:external_id, or the name of a hospital without an identifier."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show one hospital with all its fields."""

    async def read() -> Document | None:
        async with registry_connection() as mongo:
            hospital_id = await find_hospital_id(mongo, hospital)
            return None if hospital_id is None else await find_hospital(mongo, hospital_id)

    found = run(read)
    if found is None:
        fail(
            f"no hospital {escape(hospital)!r} is stored: give source:external_id, or the name of a hospital "
            "without an identifier; `registry search` finds parts of names, `audit show` what was withdrawn",
            EXIT_FAILED,
        )
    if as_json:
        typer.echo(json_line(public(found), orjson.OPT_INDENT_2))
    else:
        _show_fields(public(found))


@app.command("list")
@takes(_filter, argument="wanted")
def list_stored(wanted: HospitalFilter, limit: LimitOption = 20, as_json: JsonOption = False) -> None:
    """List hospitals in the order of their ids."""
    _list(wanted, "_id", limit, as_json=as_json)


@app.command()
@takes(_filter, argument="wanted")
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A part of the name, in any case.")],
    wanted: HospitalFilter,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List hospitals whose names contain TEXT, in the order of their names.

    TEXT is not a regular expression. A line on standard error says which index is read for it.
    """
    if wanted.name_contains is not None:
        fail("give either TEXT or --name")
    searched = parse(HospitalFilter, {**wanted.model_dump(), "name_contains": text})

    _list(searched, "hospital_name", limit, as_json=as_json, say_how=True)


@app.command()
@takes(_filter, argument="wanted")
def export(
    wanted: HospitalFilter,
    export_format: Annotated[ExportFormat, typer.Option("--format", help="The form of the output.")] = "csv",
    file: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="A new file; default: standard output.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Export at most so many hospitals.")] = None,
) -> None:
    """Export hospitals in the order of their ids, in whatever number: memory does not grow with it.

    FILE appears once it is whole, and an existing file is never overwritten.
    """

    async def write() -> int:
        async with registry_connection() as mongo:
            with output(file) as target:
                async with aclosing(list_hospitals(mongo, wanted, order="_id", limit=limit or 0)) as hospitals:
                    return await write_all(hospitals, EXPORT_FORMS[export_format], target)

    typer.echo(f"{run(write):,} exported", err=True)


def _list(wanted: HospitalFilter, order: Order, limit: int, *, as_json: bool, say_how: bool = False) -> None:
    async def read() -> list[Document]:
        async with registry_connection() as mongo:
            if say_how:
                # Before the search, which takes long if it scans.
                typer.echo(f"note: {escape(await describe_search(mongo, wanted, order=order))}", err=True)
            # One more shows whether there are more.
            return [found async for found in list_hospitals(mongo, wanted, order=order, limit=limit + 1)]

    found = run(read)
    more = len(found) > limit
    if as_json:
        shown = {"hospitals": [public(hospital) for hospital in found[:limit]], "more": more}
        typer.echo(json_line(shown, orjson.OPT_INDENT_2))
        return
    if not found:
        typer.echo("no hospitals")
        return
    out = console()
    out.print(_table(found[:limit]), soft_wrap=False, width=min(out.width, _WIDTH))
    if more:
        typer.echo(f"more than {limit:,} match: give --limit or a narrower filter, or use `registry export`")


def _table(hospitals: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("hospital", overflow="fold", max_width=26)
    table.add_column("name", overflow="fold")
    table.add_column("place", overflow="fold", max_width=20)
    table.add_column("status", no_wrap=True, min_width=len("registered"))
    for hospital in hospitals:
        place = ", ".join(str(hospital[name]) for name in ("city", "state", "country") if name in hospital)
        cells = hospital["_id"], hospital.get("hospital_name", ""), place, hospital.get("status", "")
        table.add_row(*(Text(escape(str(cell))) for cell in cells))
    return table


def _show_fields(hospital: Document) -> None:
    attributes = hospital.get("attributes")
    if isinstance(attributes, dict):
        fields = {name: value for name, value in hospital.items() if name != "attributes"}
        hospital = fields | {f"attributes.{name}": value for name, value in attributes.items()}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold", max_width=30)
    table.add_column(overflow="fold")
    for name, value in hospital.items():
        table.add_row(Text(escape(name)), Text(_shown(value)))
    out = console()
    out.print(table, soft_wrap=False, width=min(out.width, _WIDTH))


def _shown(value: Any) -> str:
    return escape(value) if isinstance(value, str) else json_line(value).strip('"')
