"""Assigns columns to fields by name, as far as the content does not contradict it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from producers.files.columns.areas import AREAS, arranged
from producers.files.columns.content import FEW_ROWS, contradiction
from producers.files.columns.model import FIELDS
from producers.files.columns.name_table import name_tokens
from producers.files.columns.names import WEAK_COST, NameMatch, fields_by_name, identifier_cost
from producers.files.columns.readings import readings
from producers.files.statistics import ColumnStatistics

# A name that is two and a half levels worse in precedence wins against a column that is less than half as full.
_EMPTIER = 25
# A row without a name is rejected, so a fuller column wins that is one level worse.
_WITHOUT_GAPS, _WITH_GAPS = 0.98, 12
# Below this, a name promises the field, so the person wants to know why its column is not used.
_PROMISES = 40
_PROMISES_EXACTLY = 20
# Below this, a name is rather that of an identifier than of a hospital: "Hospital No".
_IDENTIFIER = 16
# From here on a match is a code of a place.
_CODED = 50
# Different values by filled cells.
_FEW = 0.05


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A column that its name would make a field, and what its content says against it."""

    field: str
    column: str
    reason: str
    cost: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    field: str
    column: str
    cost: int
    position: int
    is_code: bool


def assign(
    columns: Sequence[str],
    statistics: Mapping[str, ColumnStatistics],
    fields: Collection[str],
    no_names: Mapping[str, str] = MappingProxyType({}),
) -> tuple[dict[str, str], list[Contradiction]]:
    """Return the column of each field, of those that have one, and the columns whose content contradicts the name.

    No column is used twice. Better names come first, then fuller columns, then columns with more different values;
    the order of the columns decides only between columns that are equal in all of this. `no_names` are columns
    that cannot be the name of a hospital, whatever they are called, each with the reason.
    """
    candidates: list[_Candidate] = []
    contradictions: list[Contradiction] = []
    for position, column in enumerate(columns):
        known = statistics.get(column)
        if known is not None and not known.filled and not known.placeholder:
            continue
        for field, match in fields_by_name(column).items():
            if field not in fields or (field == "hospital_name" and (identifier_cost(column) or 99) < _IDENTIFIER):
                continue
            reason = (
                None
                if known is None
                else contradiction(field, known, code=match.code) or _too_few(field, match, known)
            )
            if field == "hospital_name" and column in no_names:
                reason = no_names[column]
            if reason is None and field == "postal_code" and _is_half(column, statistics):
                reason = "is only the first of two parts"
            if reason is None:
                candidates.append(_Candidate(field, column, match.cost, position, is_code=match.code))
            else:
                contradictions.append(Contradiction(field, column, reason, match.cost))
    assigned: dict[str, str] = {}
    used: set[str] = set()
    weighed = sorted(_weighed(candidates, statistics), key=lambda pair: pair[0])
    for _, candidate in weighed:
        field, column = candidate.field, candidate.column
        if field not in assigned and column not in used:
            assigned[field] = column
            used.add(column)
    _arrange_areas(assigned, weighed)
    used = set(assigned.values())
    _drop_codes_of_names(assigned, candidates)
    _order_areas(assigned, [candidate for candidate in candidates if candidate.column not in used], statistics)
    return assigned, contradictions


def worth_a_note(
    contradictions: Sequence[Contradiction], settled: Collection[str], used: Collection[str]
) -> list[Contradiction]:
    """Return the contradictions that cost a field its column: the best-named column of each.

    `settled` are the fields that need no column any more, `used` the columns that another field is read from.
    """
    best: dict[str, Contradiction] = {}
    columns = set(used)
    for found in sorted(contradictions, key=lambda item: item.cost):
        # `type` alone promises nothing, and neither do x, y and place.
        vague = found.field in ("hospital_type", "location", "attributes")
        limit = _PROMISES_EXACTLY if vague else _PROMISES
        if found.field not in {*settled, *best} and found.cost < limit and found.column not in columns:
            best[found.field] = found
            columns.add(found.column)
    return list(best.values())


def _too_few(field: str, match: NameMatch, known: ColumnStatistics) -> str | None:
    # "Location" may say urban or rural, and "institution" whose hospital it is.
    if field not in ("hospital_name", "address") or match.cost < WEAK_COST or known.filled < FEW_ROWS:
        return None
    if known.values and len(known.values) <= _FEW * known.filled:
        return f"has only {len(known.values)} different values (first: {known.first})"
    return None


def _arrange_areas(
    assigned: dict[str, str], weighed: Sequence[tuple[tuple[float, float, float, int, int], _Candidate]]
) -> None:
    chosen = {field: assigned.pop(field) for field in AREAS if field in assigned}
    costs: dict[str, dict[str, float]] = {field: {} for field in AREAS}
    for key, candidate in weighed:
        if candidate.field in AREAS and candidate.column not in assigned.values():
            costs[candidate.field].setdefault(candidate.column, key[0])
    assigned |= arranged(chosen, costs)


def _weighed(
    candidates: Sequence[_Candidate], statistics: Mapping[str, ColumnStatistics]
) -> list[tuple[tuple[float, float, float, int, int], _Candidate]]:
    fullest: dict[str, float] = {}
    names: list[tuple[int, float]] = []
    for candidate in candidates:
        known = statistics.get(candidate.column)
        if known is not None:
            fullest[candidate.field] = max(fullest.get(candidate.field, 0.0), known.share_filled)
            if candidate.field == "hospital_name":
                names.append((candidate.cost, known.share_distinct))
    weighed: list[tuple[tuple[float, float, float, int, int], _Candidate]] = []
    for candidate in candidates:
        known = statistics.get(candidate.column)
        filled = known.share_filled if known is not None else 0.0
        distinct = known.share_distinct if known is not None and candidate.field == "hospital_name" else 0.0
        cost = candidate.cost
        if filled < fullest.get(candidate.field, 0.0) / 2:
            cost += _EMPTIER
        if candidate.field == "hospital_name":
            if filled < _WITHOUT_GAPS * fullest.get("hospital_name", 0.0):
                cost += _WITH_GAPS
            # The same name in many rows is that of the hospitals' owner, or of their kind. If the other column is
            # less clearly called a name, it may be that of departments or towns, and only a few values are kinds.
            worst = None if distinct <= _FEW else candidate.cost
            others = (share for its_cost, share in names if worst is None or its_cost <= worst)
            if distinct < max(others, default=0.0) / 2:
                cost += _EMPTIER
        key = (cost, -round(filled, 2), -round(distinct, 2), FIELDS.index(candidate.field), candidate.position)
        weighed.append((key, candidate))
    return weighed


def _drop_codes_of_names(assigned: dict[str, str], candidates: Sequence[_Candidate]) -> None:
    """Leave out a code whose name is another field: "Código Municipio" beside "Nombre Municipio" is no county."""
    coded = {(it.field, it.column) for it in candidates if it.is_code}
    for field, column in list(assigned.items()):
        if (field, column) not in coded:
            continue
        names = {name for reading in readings(column) for name in reading.code_of}
        others = (other for other in assigned.values() if other != column)
        if any(reading.key in names for other in others for reading in readings(other)):
            del assigned[field]


def _is_half(column: str, statistics: Mapping[str, ColumnStatistics]) -> bool:
    """Return whether a column ends with 1, and another of its name with 2 that is filled at least half as much."""
    tokens = name_tokens(column)
    if tokens[-1:] != ("1",) or column not in statistics:
        return False
    wanted = (*tokens[:-1], "2")
    return any(
        name_tokens(other) == wanted and 2 * known.filled >= statistics[column].filled
        for other, known in statistics.items()
    )


def _order_areas(
    assigned: dict[str, str], unused: Sequence[_Candidate], statistics: Mapping[str, ColumnStatistics]
) -> None:
    """Make the larger area the state: which one that is differs from country to country.

    Argentina's provinces have departments; Peru's departments have provinces; Italy's regions have provinces. The
    larger areas are fewer.
    """
    if "state" not in assigned:
        return
    state = assigned["state"]
    states = _areas(state, statistics)
    if "county" not in assigned and "county" in fields_by_name(state):
        larger = [
            candidate
            for candidate in unused
            if candidate.field == "state"
            and candidate.cost < _CODED
            and _areas(candidate.column, statistics) <= states
        ]
        if larger:
            assigned["state"] = min(larger, key=lambda candidate: (candidate.cost, candidate.position)).column
            assigned["county"] = state
        return
    county = assigned.get("county")
    if county is None or _areas(county, statistics) >= states:
        return
    if "county" in fields_by_name(state) and "state" in fields_by_name(county):
        assigned["state"], assigned["county"] = county, state
    elif fields_by_name(county)["county"].cost >= WEAK_COST:
        del assigned["county"]


def _areas(column: str, statistics: Mapping[str, ColumnStatistics]) -> float:
    known = statistics.get(column)
    if known is None:
        return 0.0
    return len(known.values) if known.values else known.filled * known.share_distinct
