"""The tables of `inspect`, which fit a terminal of 80 columns."""

from collections.abc import Iterable, Iterator, Mapping

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from producers.files import HospitalFile
from producers.files.spooling import shown_path
from producers.inspection import FieldFindings, Inspection
from worker.console import ResultConsole
from worker.escaping import escape

_WIDTH = 80
_WIDEST_NAME = 24
_HEADINGS = ("field", "column")
# "known", "unread" and what separates the columns.
_OTHER_COLUMNS = 19
_MOST_LISTED = 12


def show_inspection(file: HospitalFile, found: Inspection, fates: Mapping[str, int] | None, problem: str) -> None:
    """Print how a file is read, its fields, and what would become of its rows."""
    console = ResultConsole()
    console.width = min(console.width, _WIDTH)
    path, facts = escape(f"{shown_path(file.path)}:"), escape(_facts(file, found))
    # A path is never broken.
    fits = cell_len(f"{path} {facts}") <= console.width
    console.print(Text(f"{path} {facts}" if fits else f"{path}\n  {facts}"), soft_wrap=True)
    console.print(_fields(file, found))
    for line in (*_lines(file, found), *_fates(found, fates, problem)):
        # Not broken: an option that is shown can be pasted.
        console.print(Text(escape(line)), soft_wrap=True)


def _fields(file: HospitalFile, found: Inspection) -> Table:
    rows = list(_rows(file, found))
    fields, names = (_width(row[place] for row in (_HEADINGS, *rows)) for place in (0, 1))
    table = Table(box=None, pad_edge=False)
    table.add_column(_HEADINGS[0], overflow="fold", width=fields)
    table.add_column(_HEADINGS[1], overflow="fold", width=names)
    table.add_column("known", justify="right", no_wrap=True)
    table.add_column("unread", justify="right", no_wrap=True)
    example = _WIDTH - fields - names - _OTHER_COLUMNS
    table.add_column("example", overflow="ellipsis", no_wrap=True, max_width=example)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _rows(file: HospitalFile, found: Inspection) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each field, as they are shown."""
    columns = {it.field: " + ".join(it.columns) for it in file.columns.mapped}
    for name in sorted(dict.fromkeys([*columns, *found.fields]), key=_place_in_table):
        findings = found.fields.get(name)
        if name in ("latitude", "longitude") and findings is None:
            # They are shown as the location.
            continue
        findings = findings or FieldFindings()
        pair = [columns[it] for it in ("latitude", "longitude") if it in columns] if name == "location" else []
        column = columns.get(name) or " + ".join(pair) or "--source"
        known = f"{findings.filled / found.rows:.0%}" if found.rows else "-"
        unread = f"{findings.left_out:,}" if findings.left_out else ""
        yield tuple(map(escape, (name, column, known, unread, findings.example)))


def _place_in_table(field: str) -> int:
    first = ("hospital_name", "source", "external_id", "local_id")
    return first.index(field) if field in first else len(first)


def _width(texts: Iterable[str]) -> int:
    # Examples are cut rather than names.
    return min(max(map(cell_len, texts)), _WIDEST_NAME)


def _facts(file: HospitalFile, found: Inspection) -> str:
    dialect = file.dialect
    parts = [" ".join(filter(None, (dialect.format, dialect.compression)))]
    if dialect.encoding:
        parts.append(dialect.encoding)
    if dialect.format == "csv":
        parts.append(f"delimiter {dialect.delimiter!r}" + ("" if dialect.header else ", no header"))
    if dialect.sheet:
        parts.append(f"sheet {dialect.sheet!r}")
    return ", ".join([*parts, f"rows: {found.rows:,}"])


def _lines(file: HospitalFile, found: Inspection) -> Iterator[str]:
    for name, findings in found.fields.items():
        if findings.left_out:
            yield f"not read: {name}, {findings.left_out:,} cells; {findings.first_reason}"
    if found.by_id:
        yield f"identity: the source's identifier in {found.by_id:,} rows of {found.rows - found.rejected:,}"
    else:
        yield "identity: name and place, because no identifier is used"
    if found.repeated:
        yield f"repeated: {found.repeated:,}, the same hospital as an earlier row"
    if found.differing:
        yield f"differing: {found.differing:,}, the same hospital as an earlier row, with other values"
    if found.collisions:
        lines = ", ".join(f"{line} with {other}" for line, other in found.first)
        lines += _more(found.collisions - len(found.first))
        yield f"collisions: {found.collisions:,}, other hospitals of an earlier row's identity; lines {lines}"
        why, options = file.advice_on_collisions
        yield f"  {why}; to tell them apart by more, before the list is imported: {options}"
    if found.rejected:
        yield f"rejected: {found.rejected:,}"
        yield from (f"  line {line}: {reasons}" for line, reasons in found.first_rejected)
        more = _more(found.rejected - len(found.first_rejected))
        yield from [f" {more}"] if more else []
    left_out = file.columns.left_out
    if left_out:
        yield f"columns left out: {', '.join(left_out[:_MOST_LISTED])}{_more(len(left_out) - _MOST_LISTED)}"
    for note in file.notes:
        yield f"note: {note}"


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _fates(found: Inspection, fates: Mapping[str, int] | None, problem: str) -> Iterator[str]:
    if fates is None:
        yield f"registry: not compared: {problem}"
        return
    parts = [f"{name.replace('_', ' ')} {count:,}" for name, count in fates.items() if count or name == "created"]
    repeated = [f"repeated {found.repeated:,}"] if found.repeated else []
    yield f"registry: {', '.join([*parts, *repeated])}"
