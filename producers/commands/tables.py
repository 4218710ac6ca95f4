"""The tables of `inspect`, which fit a terminal of 80 columns."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producers.files import HospitalFile
from producers.inspection import FieldFindings, Inspection
from worker.escaping import escape

_WIDTH = 80
_MOST_LISTED = 12


def show_inspection(file: HospitalFile, found: Inspection, fates: Mapping[str, int] | None, problem: str) -> None:
    """Print how a file is read, its fields, and what would become of its rows."""
    console = Console(highlight=False)
    console.width = min(console.width, _WIDTH)
    console.print(_fields(file, found))
    for line in (*_lines(file, found), *_fates(found, fates, problem)):
        console.print(Text(escape(line)))


def _fields(file: HospitalFile, found: Inspection) -> Table:
    table = Table(title=Text(escape(_title(file, found))), title_justify="left", box=None, pad_edge=False)
    table.add_column("field", overflow="fold", max_width=20)
    table.add_column("column", overflow="fold", max_width=22)
    table.add_column("known", justify="right", no_wrap=True)
    table.add_column("unread", justify="right", no_wrap=True)
    table.add_column("example", overflow="ellipsis", no_wrap=True)
    columns = {it.field: " + ".join(it.columns) for it in file.columns.mapped}
    shown = dict.fromkeys([*columns, *found.fields])
    for name in shown:
        findings = found.fields.get(name)
        if name in ("latitude", "longitude") and findings is None:
            # They are shown as the location.
            continue
        findings = findings or FieldFindings()
        pair = [columns[it] for it in ("latitude", "longitude") if it in columns] if name == "location" else []
        column = columns.get(name) or " + ".join(pair) or "--source"
        known = f"{findings.filled / found.rows:.0%}" if found.rows else "-"
        unread = f"{findings.left_out:,}" if findings.left_out else ""
        table.add_row(*(Text(escape(cell)) for cell in (name, column, known, unread, findings.example)))
    return table


def _title(file: HospitalFile, found: Inspection) -> str:
    dialect = file.dialect
    parts = [f"{file.path}: {found.rows:,} rows", " ".join(filter(None, (dialect.format, dialect.compression)))]
    if dialect.encoding:
        parts.append(dialect.encoding)
    if dialect.format == "csv":
        parts.append(f"delimiter {dialect.delimiter!r}" + ("" if dialect.header else ", no header"))
    if dialect.sheet:
        parts.append(f"sheet {dialect.sheet!r}")
    return ", ".join(parts)


def _lines(file: HospitalFile, found: Inspection) -> Iterator[str]:
    for name, findings in found.fields.items():
        if findings.left_out:
            yield f"not read: {name}, {findings.left_out:,} cells; {findings.first_reason}"
    if found.by_id:
        yield f"identity: the source's identifier in {found.by_id:,} rows of {found.rows - found.rejected:,}"
    else:
        yield "identity: name and place, because no identifier is used"
    if found.repeated:
        yield f"repeated: {found.repeated:,} rows say the same hospital as an earlier row"
    if found.collisions:
        lines = ", ".join(f"{line} with {other}" for line, other in found.first)
        yield f"collisions: {found.collisions:,} rows have the identity of another hospital (lines {lines})"
    if found.rejected:
        yield f"rejected: {found.rejected:,} rows"
        for line, reasons in found.first_rejected:
            yield f"  line {line}: {reasons}"
    left_out = file.columns.left_out
    if left_out:
        more = f" and {len(left_out) - _MOST_LISTED} more" if len(left_out) > _MOST_LISTED else ""
        yield f"columns left out: {', '.join(left_out[:_MOST_LISTED])}{more}"
    for note in file.notes:
        yield f"note: {note}"


def _fates(found: Inspection, fates: Mapping[str, int] | None, problem: str) -> Iterator[str]:
    if fates is None:
        yield f"registry: not compared: {problem}"
        return
    parts = [f"{name.replace('_', ' ')} {count:,}" for name, count in fates.items() if count or name == "created"]
    repeated = [f"repeated {found.repeated:,}"] if found.repeated else []
    yield f"registry: {', '.join([*parts, *repeated])}"
