"""Decides which column of a file is which field."""

from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher

from producers.files.columns.assignment import Contradiction, assign, worth_a_note
from producers.files.columns.attributes import keep_columns
from producers.files.columns.content import contradiction
from producers.files.columns.identifiers import Identifiers, find_identifiers, repeated
from producers.files.columns.mapping import listed, map_given, option
from producers.files.columns.model import FIELDS, ColumnError, Columns, ColumnWishes, Mapped
from producers.files.statistics import ColumnStatistics
from producers.files.words import fold, names_a_hospital

_SIMILAR = 0.75
_NEARLY_ALL = 0.9
_FIRST_VALUES_SHOWN = 10


def choose_columns(
    columns: Sequence[str], statistics: Mapping[str, ColumnStatistics], wishes: ColumnWishes
) -> Columns:
    """Return the column of each field: as the user says, else by name, where the content does not contradict it.

    `statistics` are those of the columns over the whole file. No column is used for two fields, except as one of
    several that a field is joined from. Raises `ColumnError` if the user names a field or column that does not
    exist, if no column has the hospital's name, or if an identifier is given without a source.
    """
    columns = list(dict.fromkeys(columns))
    notes: list[str] = []
    given, left_out = map_given(columns, wishes, notes)
    # A part of a key, such as the country, is also a field of its own.
    used = {mapped.columns[0] for mapped in given.values() if len(mapped.columns) == 1}
    free = [column for column in columns if column not in used]
    wanted = [field for field in FIELDS if field not in given and field not in left_out and field != "external_id"]
    if wishes.source is not None and "source" in wanted:
        wanted.remove("source")
    if "location" in given:
        wanted = [field for field in wanted if field not in ("latitude", "longitude")]
    elif "latitude" in given or "longitude" in given:
        wanted = [field for field in wanted if field != "location"]
    assigned, contradictions = assign(free, statistics, wanted)
    if "hospital_name" not in given and "hospital_name" not in assigned:
        raise ColumnError(_no_name(columns, statistics, contradictions))
    _one_place(assigned, statistics)
    mapped = given | {field: Mapped(field, (column,), "name") for field, column in assigned.items()}
    free = [column for column in free if column not in assigned.values()]
    _both_coordinates(mapped, left_out, free, statistics, notes)
    _place_by_content(mapped, wanted, free, statistics, notes)
    settled = mapped.keys() | left_out | ({"location", "latitude", "longitude"} if _has_place(mapped) else set())
    notes.extend(_contradicted(found) for found in worth_a_note(contradictions, settled))
    notes.extend(_given_contradictions(given, statistics))
    candidates = _identify(mapped, left_out, free, statistics, wishes, notes)
    result = sorted(mapped.values(), key=_order)
    if wishes.keep_others:
        taken = {column for found in result for column in found.columns}
        others = [c for c in columns if c not in taken and (c not in statistics or statistics[c].filled)]
        result += keep_columns(others, columns, mapped, notes)
    taken = {column for found in result for column in found.columns}
    return Columns(
        mapped=tuple(result),
        left_out=tuple(column for column in columns if column not in taken),
        candidates=candidates,
        notes=tuple(dict.fromkeys(notes)),
    )


def _has_place(mapped: Collection[str]) -> bool:
    return "location" in mapped or "latitude" in mapped


def _order(mapped: Mapped) -> tuple[int, str]:
    return (FIELDS.index(mapped.field) if mapped.field in FIELDS else len(FIELDS), mapped.field)


def _contradicted(found: Contradiction) -> str:
    if found.field == "source":
        return f"{found.column} {found.reason}, so it is left out; to say whose list this is: --source NAME"
    return f"{found.column} {found.reason}, so it is not used as {found.field}"


def _given_contradictions(given: Mapping[str, Mapped], statistics: Mapping[str, ColumnStatistics]) -> list[str]:
    notes = []
    for field, mapped in given.items():
        known = statistics.get(mapped.columns[0]) if len(mapped.columns) == 1 else None
        reason = None if known is None else contradiction(field, known)
        if reason is not None:
            notes.append(f"{field} {reason}; it is read from {mapped.columns[0]} as given")
    return notes


def _one_place(assigned: dict[str, str], statistics: Mapping[str, ColumnStatistics]) -> None:
    """Keep either the two coordinates or the one column that has both, whichever is known in more rows."""
    if "location" not in assigned or "latitude" not in assigned or "longitude" not in assigned:
        return
    two, one = statistics.get(assigned["latitude"]), statistics.get(assigned["location"])
    if two is not None and one is not None and two.filled < one.filled / 2:
        del assigned["latitude"], assigned["longitude"]
    else:
        del assigned["location"]


def _both_coordinates(
    mapped: dict[str, Mapped],
    left_out: Collection[str],
    free: list[str],
    statistics: Mapping[str, ColumnStatistics],
    notes: list[str],
) -> None:
    """Leave out a latitude without a longitude, and the other way round."""
    for field, other in (("latitude", "longitude"), ("longitude", "latitude")):
        if field not in mapped or other in mapped:
            continue
        column = mapped.pop(field).columns[0]
        free.append(column)
        if other in left_out:
            continue
        guess = _like_a_coordinate(other, column, free, statistics)
        hint = f" ({guess} looks like it)" if guess is not None else ""
        notes.append(f"{column} has no {other} beside it, so it is left out; say --map {other}=COLUMN{hint}")


def _like_a_coordinate(
    field: str, partner: str, free: Sequence[str], statistics: Mapping[str, ColumnStatistics]
) -> str | None:
    def similar(column: str) -> float:
        return SequenceMatcher(None, fold(column), field).ratio()

    possible = [
        column
        for column in free
        if column != partner
        and (known := statistics.get(column)) is not None
        and known.share("longitude" if field == "longitude" else "latitude") >= _NEARLY_ALL
        and (similar(column) >= _SIMILAR or known.share("integer") < 1 - _NEARLY_ALL)
    ]
    return max(possible, key=similar, default=None)


def _place_by_content(
    mapped: dict[str, Mapped],
    wanted: Collection[str],
    free: list[str],
    statistics: Mapping[str, ColumnStatistics],
    notes: list[str],
) -> None:
    """Take a column of pairs of coordinates as the location, whatever its name is."""
    if "location" not in wanted or {"location", "latitude"} & mapped.keys():
        return
    found = [c for c in free if c in statistics and statistics[c].share("coordinates") >= _NEARLY_ALL]
    if found:
        column = max(found, key=lambda name: (statistics[name].filled, -free.index(name)))
        mapped["location"] = Mapped("location", (column,), "content")
        free.remove(column)
        notes.append(
            f"{column} contains both coordinates and is used as location; to leave it out: --map location="
        )


def _identify(
    mapped: dict[str, Mapped],
    left_out: Collection[str],
    free: Sequence[str],
    statistics: Mapping[str, ColumnStatistics],
    wishes: ColumnWishes,
    notes: list[str],
) -> tuple[str, ...]:
    """Map the identifier if there is one, and return the columns that may be it, best first."""
    has_source = wishes.source is not None or "source" in mapped
    if "external_id" in mapped:
        given = mapped["external_id"]
        if not has_source:
            raise ColumnError(
                f"external_id is read from {' + '.join(given.columns)}, but an identifier has a meaning only "
                "together with its source; say whose list this is: --source NAME"
            )
        if len(given.columns) == 1 and given.columns[0] in statistics:
            notes.extend(repeated(given.columns[0], statistics[given.columns[0]]))
        return given.columns if len(given.columns) == 1 else ()
    if "external_id" in left_out:
        return ()
    source = mapped.get("source")
    found = find_identifiers(free, statistics, source_column=source.columns[0] if source is not None else None)
    if found.candidates and has_source:
        mapped["external_id"] = Mapped("external_id", (found.candidates[0],), "name")
    notes.extend(_on_identifiers(found, has_source=has_source, given_source=wishes.source is not None))
    notes.extend(found.notes)
    return found.candidates


def _on_identifiers(found: Identifiers, *, has_source: bool, given_source: bool) -> list[str]:
    if not found.candidates:
        return ["--source is given, but no column was found that identifies the hospitals"] if given_source else []
    best, *others = found.candidates
    notes = []
    if not has_source:
        notes.append(
            f"{best} has a different value in every row, but an identifier is used only together with its source; "
            "say whose list this is: --source NAME"
        )
    if others:
        notes.append(
            f"{best} is {'used' if has_source else 'proposed'} as the identifier; also with a different value in "
            f"every row: {', '.join(others)} ({option('external_id', others[0])})"
        )
    if found.counts:
        notes.append(
            f"{best} only counts the rows; if the next delivery counts them anew, leave it out: --map external_id="
        )
    return notes


def _no_name(
    columns: Sequence[str],
    statistics: Mapping[str, ColumnStatistics],
    contradictions: Sequence[Contradiction],
) -> str:
    problem = "has no column for the hospital's name"
    refused = next((found for found in contradictions if found.field == "hospital_name"), None)
    if refused is not None:
        problem += f": hospital_name {refused.reason}, so {refused.column!r} is not used"
    proposed = _most_like_names(columns, statistics)
    if proposed is not None:
        problem += f"; {proposed} looks like the name: {option('hospital_name', proposed)}"
    else:
        problem += '; choose it with --map hospital_name="COLUMN"'
    return f"{problem}; its columns are {_with_first_values(columns, statistics)}"


def _most_like_names(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> str | None:
    best: tuple[float, str] | None = None
    for column in columns:
        known = statistics.get(column)
        if known is None or known.share("text") < 0.5 or contradiction("hospital_name", known) is not None:
            continue
        words = known.share_of(lambda value: names_a_hospital(str(value)))
        score = 2 * words + known.share_distinct * known.share_filled
        if best is None or score > best[0]:
            best = (score, column)
    # Without a word for a hospital, a column of addresses or people would do as well.
    return best[1] if best is not None and best[0] >= 1.5 else None


def _with_first_values(columns: Sequence[str], statistics: Mapping[str, ColumnStatistics]) -> str:
    # Columns of a file without a header are numbers, which say nothing without a value.
    if not all(column.isdigit() for column in columns):
        return listed(columns)
    shown = [
        f"{column} ({' '.join(statistics[column].first.split())[:30]})" if column in statistics else column
        for column in columns[:_FIRST_VALUES_SHOWN]
    ]
    more = f" and {len(columns) - len(shown)} more" if len(columns) > len(shown) else ""
    return ", ".join(shown) + more
