"""Makes the table of a list: its columns, what it knows of each hospital, and the cells that say so."""

from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from hypothesis import strategies as st

from tests.support.lists.hospitals import Facts, Language, made_up
from tests.support.lists.spelling import Spelling, native

Form = Literal["delimited", "ndjson", "json", "geojson", "workbook"]
POSITION = ("latitude", "longitude")
_OTHER_COLUMNS = ("Remarks", "Fax")
_NAMELESS = 0.1


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, before it has a format.

    `fields` has the field of each column, "" for a column that is no field, and `header` the name of each.
    `positions` are (longitude, latitude), for formats that keep them apart from the cells.
    """

    fields: list[str]
    header: list[str]
    rows: list[list[Any]]
    truth: list[Facts]
    positions: list[tuple[float, float] | None]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The rows as objects."""
        return [dict(zip(self.header, row, strict=True)) for row in self.rows]


@st.composite
def tables(
    draw: st.DrawFn, language: Language, header: Language, form: Form, spelling: Spelling | None, least: int
) -> Table:
    """Draw a table of at least `least` hospitals of a language, with the names of columns of another one.

    Its cells are spelled so, or native values if `spelling` is None.
    """
    random = Random(draw(st.integers(0, 2**32)))
    columns = draw(_columns(header, form))
    others = draw(st.lists(st.sampled_from(_OTHER_COLUMNS), unique=True, max_size=2))
    order = draw(st.permutations([*columns.items(), *(("", other) for other in others)]))
    truth = made_up(language, draw(st.integers(least, 12) | st.integers(13, 60)), random)
    known = {*columns, *(POSITION if form == "geojson" or "location" in columns else ())}
    _forget(truth, known, draw(st.sampled_from([0.0, 0.1, 0.4])), random)

    def cell(field: str, facts: Facts) -> Any:
        if not field:
            return random.choice(["", "x y", "see below"])
        return native(field, facts) if spelling is None else spelling.cell(field, facts, random)

    return Table(
        fields=[field for field, _ in order],
        header=[name for _, name in order],
        rows=[[cell(field, facts) for field, _ in order] for facts in truth],
        truth=truth,
        positions=[
            None if facts["latitude"] is None else (facts["longitude"], facts["latitude"]) for facts in truth
        ],
    )


@st.composite
def _columns(draw: st.DrawFn, language: Language, form: Form) -> dict[str, str]:
    """Draw the fields that the list has, and the names of their columns."""
    possible = [it for it in language.columns if it not in ("hospital_name", "location", *POSITION)]
    fields = ["hospital_name", *draw(st.lists(st.sampled_from(possible), unique=True, min_size=1))]
    if form != "geojson":
        positions: list[tuple[str, ...]] = [(), POSITION, ("location",)]
        fields += draw(st.sampled_from([it for it in positions if language.columns.keys() >= set(it)]))
    return {it: draw(st.sampled_from(language.columns[it])) for it in fields}


def _forget(truth: list[Facts], known: set[str], share: float, random: Random) -> None:
    """Make unknown what the list has no column for, and of the rest so large a share by chance."""
    for number, facts in enumerate(truth):
        for field in facts.keys() - known:
            facts[field] = None
        # The seed decides, so the order must not depend on that of a set.
        for field in sorted(known - {"hospital_name", "external_id", "location", *POSITION}):
            if random.random() < share:
                facts[field] = None
        if random.random() < share:
            facts.update(dict.fromkeys(POSITION))
        # Without an identifier, a row without a name could be blank. The first row shows that there are names.
        if number and "external_id" in known and random.random() < share * _NAMELESS:
            facts["hospital_name"] = None
