from collections.abc import Sequence

import pytest

from producers.files.values import ValueWishes, choose_readers
from producers.files.values.zeros import field_with_zeros
from tests.support.columns import Column, Mapped

TOWNS = ["Patna", "0", "Gaya", "0", "Araria"]


@pytest.mark.parametrize(
    ("field", "cells", "found"),
    [
        ("city", TOWNS, "city"),
        ("address", ["12 Main Road", "0", 0, "0.0"], "address"),
        # One alone may be a slip, and so may few of many.
        ("city", ["Patna", "0", "Gaya"], None),
        ("city", ["Patna"] * 100 + ["0"] * 4, None),
        # Among codes it is one; without others it says nothing.
        ("state", ["0", "1", "2", "0"], None),
        ("city", ["0", "0"], None),
        ("phone", ["0", "0", "call Dr A"], None),
        ("city", [], None),
    ],
)
def test_a_list_shows_that_it_writes_zero_for_what_is_not_known(
    field: str, cells: Sequence[object], found: str | None
) -> None:
    assert field_with_zeros({field: cells}) == found


@pytest.mark.parametrize(
    ("towns", "field", "cells", "read"),
    [
        (TOWNS, "beds", ["897", "0", "750"], [897, None, 750]),
        (TOWNS, "beds", [897, 0, 750.0], [897, None, 750]),
        (["Patna", "Gaya"], "beds", ["897", "0"], [897, 0]),
        (TOWNS, "emergency_services", ["0", "Yes", "0"], [None, True, None]),
        (TOWNS, "emergency_services", ["0", "1", "0"], [False, True, False]),
        (["Patna", "Gaya"], "emergency_services", ["0", "Yes"], [False, True]),
    ],
)
def test_its_zeros_are_no_numbers_and_no_answers(
    towns: Sequence[object], field: str, cells: Sequence[object], read: Sequence[object]
) -> None:
    mapped = [Mapped("city", ("t",)), Mapped(field, ("c",))]
    chosen = choose_readers(mapped, {"t": Column(towns), "c": Column(cells)}, ValueWishes())
    values = [chosen.by_field[field].read((cell,)) for cell in cells]
    assert [None if value not in (*range(1_000), True, False) else value for value in values] == list(read)
    assert (f"city has 0 for what is not known, so a 0 of {field} is left out" in "; ".join(chosen.notes)) == (
        None in read
    )
    # A profile reads the next delivery alike, whose towns may all be known.
    again = choose_readers(mapped, {"c": Column(cells)}, ValueWishes(settings=chosen.settings))
    assert [again.by_field[field].read((cell,)) for cell in cells] == values


def test_a_profile_can_keep_the_zeros() -> None:
    mapped = [Mapped("city", ("t",)), Mapped("beds", ("c",))]
    columns = {"t": Column(TOWNS), "c": Column(["897", "0"])}
    chosen = choose_readers(mapped, columns, ValueWishes(settings={"beds.zeros": "kept"}))
    assert (chosen.by_field["beds"].read(("0",)), chosen.settings["beds.zeros"], chosen.notes) == (0, "kept", ())
