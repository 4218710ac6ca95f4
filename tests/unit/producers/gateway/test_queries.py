import pytest

from producers.gateway.problems import Problem
from producers.gateway.queries import check_names

KNOWN = {"city", "limit", "map"}


def test_known_names_pass_and_a_list_may_be_given_twice() -> None:
    check_names([], KNOWN)
    check_names(["city", "limit"], KNOWN)
    check_names(["map", "city", "map"], KNOWN, {"map"})
    with pytest.raises(Problem):
        check_names(["map", "map"], KNOWN)


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        (["cty"], {"cty": "unknown parameter"}),
        (["", "city"], {'""': "unknown parameter"}),
        (["cty", "cty"], {"cty": "unknown parameter"}),
        (["city", "limit", "city"], {"city": "given twice"}),
        (["city", "city", "x"], {"city": "given twice", "x": "unknown parameter"}),
        (["a\r\nb"], {'"a\\r\\nb"': "unknown parameter"}),
    ],
)
def test_others_are_named(given: list[str], errors: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        check_names(given, KNOWN)
    assert {it.path: it.reason for it in refused.value.errors} == errors
    assert refused.value.status_code == 422


def test_of_very_many_the_first_are_named() -> None:
    with pytest.raises(Problem) as refused:
        check_names([f"n{number}" for number in range(5_000)], KNOWN)
    assert len(refused.value.errors) == 101
