"""Names with numbers in front or footnotes behind."""

from collections.abc import Sequence

import pytest

from tests.support.tables import choose

TOWNS = ("Aveda", "Brusk", "Cadia", "Dorn", "Eska", "Fenn")


def notes(names: Sequence[str]) -> list[str]:
    return [
        note for note in choose(["Hospital", "City"], [*zip(names, TOWNS, strict=True)]).notes if "stored" in note
    ]


@pytest.mark.parametrize(
    "form", ["{0}. Oak {1}", "{0}) Oak {1}", "410{0} - Oak {1}", "({0}) Oak {1}", "{0}、Oak {1}"]
)
def test_numbers_in_front_of_all_names_are_noted(form: str) -> None:
    (note,) = notes([form.format(at, town) for at, town in enumerate(TOWNS)])
    assert note.startswith(f"the names in Hospital begin with a number (first: {form.format(0, 'Aveda')!r})")


@pytest.mark.parametrize("form", ["{1} Hospital {0}", "12 de Octubre {1}", "{0}th Street Clinic {1}"])
def test_numbers_of_names_are_not_noted(form: str) -> None:
    assert notes([form.format(at, town) for at, town in enumerate(TOWNS)]) == []


def test_some_numbers_in_front_are_not_noted() -> None:
    assert notes([*(f"{at}. Oak" for at in range(4)), "Elm", "Ash"]) == []


@pytest.mark.parametrize(("mark", "is_noted"), [("*", True), (" **", True), ("\u00b9", True), ("!", False)])
def test_the_mark_of_a_footnote_behind_a_name_is_noted(mark: str, is_noted: bool) -> None:
    found = notes([f"Oak {town}" for town in TOWNS[1:]] + [f"Elm{mark}"])
    assert [f"(first: {'Elm' + mark!r})" in note for note in found] == [True] * is_noted
