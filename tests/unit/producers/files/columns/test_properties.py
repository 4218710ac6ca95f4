"""Mappings of tables with random columns and cells."""

import random

from hypothesis import given
from hypothesis import strategies as st

from producers.files.columns import ColumnError, Columns, ColumnWishes
from tests.support.tables import choose

COLUMNS = (
    "Facility Name", "name", "NOMBRE", "Hospital", "provider name", "address", "street", "Location", "city",
    "Municipio", "state", "Estado", "Provincia", "Departamento", "region", "zip", "county", "district",
    "country", "phone", "Contact", "owner", "emergency", "beds", "capacity", "lat", "lon", "x", "y",
    "geo_point_2d", "type", "updated_at", "SOURCE", "id", "code", "S.No", "osm_id", "district code", "remarks",
    "1", "",
)  # fmt: skip
CELLS = (
    "", "N/A", "0", "1", "2", "17", "H17", "North Clinic", "South Hospital", "Main Street 12", "Aveda", "yes",
    "no", "41.8", "-58,5", "41.8, 140.7", "5321000.5", "02-555-0101", "2024-03-01", "moh", "https://a.org",
    "a@b.org", "closed", "single",
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    columns = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=12, unique=True))
    # Cells of a column are mostly of one kind.
    kinds = [draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3)) for _ in columns]
    count = draw(st.integers(1, 12))
    return columns, [[draw(st.sampled_from(kind)) for kind in kinds] for _ in range(count)]


WISHES = st.builds(ColumnWishes, source=st.sampled_from((None, "cms")), keep_others=st.booleans())


def _choose(columns: list[str], rows: list[list[str]], wishes: ColumnWishes) -> Columns | str:
    try:
        return choose(columns, rows, wishes)
    except ColumnError as error:
        return str(error)


@given(tables(), WISHES)
def test_no_column_is_used_twice_and_each_is_accounted_for(
    table: tuple[list[str], list[list[str]]], wishes: ColumnWishes
) -> None:
    columns, rows = table
    chosen = _choose(columns, rows, wishes)
    if isinstance(chosen, str):
        assert chosen.startswith("has no column for the hospital's name")
        assert "\n" not in chosen
        return
    used = [column for mapped in chosen.mapped for column in mapped.columns]
    assert sorted([*used, *chosen.left_out]) == sorted(columns)
    fields = [mapped.field for mapped in chosen.mapped]
    assert len(set(fields)) == len(fields)
    assert "hospital_name" in fields
    assert ("latitude" in fields) == ("longitude" in fields)
    assert not ("latitude" in fields and "location" in fields)
    assert "external_id" not in fields or wishes.source is not None or "source" in fields
    assert not any("\n" in note for note in chosen.notes)


@given(tables(), WISHES, st.randoms())
def test_the_mapping_does_not_depend_on_the_order_of_rows(
    table: tuple[list[str], list[list[str]]], wishes: ColumnWishes, chance: random.Random
) -> None:
    columns, rows = table
    shuffled = list(rows)
    chance.shuffle(shuffled)
    first, second = _choose(columns, rows, wishes), _choose(columns, shuffled, wishes)
    if isinstance(first, Columns) and isinstance(second, Columns):
        assert (first.mapped, first.left_out, first.candidates) == (
            second.mapped,
            second.left_out,
            second.candidates,
        )
    else:
        assert isinstance(first, str)
        assert isinstance(second, str)


@given(tables(), WISHES, st.randoms())
def test_the_mapping_depends_on_the_order_of_columns_only_between_equal_ones(
    table: tuple[list[str], list[list[str]]], wishes: ColumnWishes, chance: random.Random
) -> None:
    columns, rows = table
    order = list(range(len(columns)))
    chance.shuffle(order)
    moved = [columns[position] for position in order]
    first = _choose(columns, rows, wishes)
    second = _choose(moved, [[row[position] for position in order] for row in rows], wishes)
    # Whether there is a name, a source and a place is never a matter of order.
    assert isinstance(first, Columns) == isinstance(second, Columns)
    if isinstance(first, Columns) and isinstance(second, Columns):
        assert {it.field for it in first.mapped if "." not in it.field} == {
            it.field for it in second.mapped if "." not in it.field
        }
