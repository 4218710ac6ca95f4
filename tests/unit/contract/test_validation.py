from typing import Any

import pytest
from pydantic import BaseModel

from worker.contract.validation import MAX_PROBLEMS, parse
from worker.errors import InvalidPayload, PayloadProblem


class Model(BaseModel, extra="forbid", strict=True):
    name: str
    beds: dict[str, int] = {}


def problems(raw: object, within: str = "") -> tuple[PayloadProblem, ...]:
    with pytest.raises(InvalidPayload) as caught:
        parse(Model, raw, within=within)
    return caught.value.problems


def test_a_valid_payload_becomes_a_model() -> None:
    assert parse(Model, {"name": "A", "beds": {"a": 1}}) == Model(name="A", beds={"a": 1})


def test_the_number_of_problems_is_limited() -> None:
    found = problems({"name": "A", **{f"x{n}": 1 for n in range(5_000)}}, "records[1]")
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == PayloadProblem("records[1]", f"{5_000 - MAX_PROBLEMS} more problems")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"name": 1}, "records[17].name"),
        ({"name": "A", "beds": {"a": "x"}}, "records[17].beds.a"),
        ({"name": "A", "beds": {1: 1}}, "records[17].beds[1]"),
        (None, "records[17]"),
        ([], "records[17]"),
    ],
)
def test_paths_start_with_the_prefix_that_the_caller_gives(raw: object, path: str) -> None:
    assert [problem.path for problem in problems(raw, "records[17]")] == [path]


@pytest.mark.parametrize("raw", [None, 1, "x", [], '{"name":"A"}', b"{}"])
def test_a_payload_that_is_not_an_object_is_one_problem(raw: object) -> None:
    assert [problem.path for problem in problems(raw)] == ["payload"]


@pytest.mark.parametrize("field", ["x" * 10_000, "\n" * 10_000])
def test_names_of_unknown_fields_are_truncated_and_stay_on_one_line(field: str) -> None:
    raw: dict[str, Any] = {"name": "A", field: "secret"}
    (problem,) = problems(raw)
    assert problem.reason == "unknown field"
    assert len(problem.path) < 100
    assert problem.path.isprintable()
