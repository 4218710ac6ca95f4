import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from producers.files.columns import ColumnWishes
from tests.support.tables import choose
from worker.contract.fields import Attributes

KEEP = ColumnWishes(keep_others=True)


@pytest.mark.parametrize(
    ("column", "attribute"),
    [
        ("Helipad", "helipad"),
        ("Größe der Küche", "grosse_der_kuche"),
        ("2020 rating", "c_2020_rating"),
        ("備考", "column_2"),
        ("備考 a", "column_2"),
        ("%", "column_2"),
        ("x" * 80, "x" * 64),
    ],
)
def test_other_columns_become_attributes_with_valid_names(column: str, attribute: str) -> None:
    chosen = choose(["name", column], [["A Clinic", "y"]], KEEP)
    assert chosen.columns_of(f"attributes.{attribute}") == (column,)
    assert chosen.left_out == ()


def test_a_note_says_which_column_a_numbered_attribute_is() -> None:
    chosen = choose(["name", "진료과목", "Wing", "備考"], [["A Clinic", "a", "b", "c"]], KEEP)
    [note] = chosen.notes
    assert note == (
        "attributes have names of ASCII letters, so column_2 is 진료과목, column_4 is 備考; "
        "to name one: --map attributes.NAME=COLUMN"
    )


def test_the_note_on_numbered_attributes_is_bounded() -> None:
    columns = [chr(ord("가") + number) * 3 for number in range(30)]
    chosen = choose(["name", *columns], [["A Clinic", *("v" for _ in columns)]], KEEP)
    [note] = chosen.notes
    assert note.count(" is ") == 20
    assert f"column_21 is {columns[19]} and 10 more; " in note


def test_columns_of_the_same_name_become_different_attributes() -> None:
    chosen = choose(["name", "Wing", "wing", "WING "], [["A Clinic", "a", "b", "c"]], KEEP)
    assert [it.field for it in chosen.mapped[1:]] == ["attributes.wing", "attributes.wing_2", "attributes.wing_3"]


def test_at_most_fifty_columns_are_kept_and_the_others_are_named() -> None:
    columns = ["name", *(f"extra{n}x" for n in range(55))]
    chosen = choose(
        columns,
        [["A Clinic", *("v" for _ in range(55))]],
        ColumnWishes(keep_others=True, mapping={"attributes.a": "extra0x"}),
    )
    assert len([it for it in chosen.mapped if it.field.startswith("attributes.")]) == 50
    assert chosen.left_out == tuple(f"extra{n}x" for n in range(50, 55))
    [note] = chosen.notes
    assert note == (
        "--keep-others keeps 49 columns, because a hospital has at most 50 attributes; "
        "left out: extra50x, extra51x, extra52x, extra53x, extra54x"
    )


def test_an_empty_column_and_a_field_that_is_left_out_are_not_kept_twice() -> None:
    chosen = choose(
        ["name", "phone", "empty"],
        [["A Clinic", "5550101", ""]],
        ColumnWishes(keep_others=True, mapping={"phone": ""}),
    )
    assert {it.field: it.columns for it in chosen.mapped} == {
        "hospital_name": ("name",),
        "attributes.phone": ("phone",),
    }
    assert chosen.left_out == ("empty",)


@given(st.lists(st.text(min_size=1, max_size=90), unique=True, max_size=60))
def test_the_names_of_attributes_are_always_valid_and_different(names: list[str]) -> None:
    columns = ["hospital name", *(name for name in names if name != "hospital name")]
    chosen = choose(columns, [["A Clinic", *("v" for _ in columns[1:])]], KEEP)
    attributes = [
        it.field.removeprefix("attributes.") for it in chosen.mapped if it.field.startswith("attributes.")
    ]
    assert len(set(attributes)) == len(attributes)
    TypeAdapter(Attributes).validate_python(dict.fromkeys(attributes, "v"))
