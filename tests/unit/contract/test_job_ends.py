"""The record of how a job ended: what is written is read again, and what was not written so does no harm."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from worker.contract.job_ends import EndFilter, EndGroup, JobEnd, PastEnd, encode_traces, without, worker_in

END = JobEnd(
    job_id="a", function="step", queue="arq:queue", outcome="complete", tries=2, enqueued_ms=1, started_ms=2,
    ended_ms=3, status="created", error="", reason="", batch="load-7", hospital_id="cms:7",
)  # fmt: skip


def group(traces: bytes | str, group_id: str = "g") -> EndGroup:
    return EndGroup(group_id, 5, "w", traces if isinstance(traces, str) else traces.decode())


def test_what_is_encoded_is_read_the_newest_first() -> None:
    ends = group(encode_traces("w", [tuple(END), None, tuple(END._replace(job_id="b"))])).ends()

    assert ends == [PastEnd(END._replace(job_id="b"), "w", 5, "g/003"), PastEnd(END, "w", 5, "g/001")]
    assert sorted(end.cursor for end in ends) == [end.cursor for end in reversed(ends)]


SIMPLE = JobEnd("", "step", "arq:queue", "complete", 1, 1_764_357_000_000, 1_764_357_000_004, 1_764_357_000_005)


def many(**values: Sequence[Any]) -> list[JobEnd]:
    """Return a hundred ends that differ in their ids and in these values, which are repeated."""
    return [
        SIMPLE._replace(job_id=f"step:{n}", **{name: its[n % len(its)] for name, its in values.items()})
        for n in range(100)
    ]


@pytest.mark.parametrize(
    ("ends", "length"),
    [
        (many(), 8),
        (many(function=["step", "leap"], tries=[1, 2, 3], enqueued_ms=[0, 1_764_300_000_000, 2**52]), 8),
        (many(outcome=["complete", "dead", "aborted"], ended_ms=[1, 2], error=["", "ValueError"]), 13),
        (many(status=["created"], hospital_id=["cms:1", "cms:2"], batch=["load-7", ""]), 13),
    ],
    ids=["alike", "few values", "all values", "of a hospital"],
)
def test_a_large_group_takes_less_than_half_and_is_read_as_it_was(ends: list[JobEnd], length: int) -> None:
    traces = [tuple(end)[:length] for end in ends]
    text = encode_traces("w", traces)

    assert group(text).traced() == ends
    assert 2 * len(text) < len(json.dumps(["w", *traces]))
    assert worker_in(text.decode()) == "w"
    refused = without(text.decode(), frozenset({1, 100}))
    assert (group(refused).traced(), worker_in(refused)) == (ends[1:-1], "w")


def test_a_large_group_whose_traces_differ_in_length_is_read_as_it_was() -> None:
    ends = many()
    ends[7] = END
    traces = [None, *(tuple(end)[: 13 if end is END else 8] for end in ends)]

    assert group(encode_traces("w", traces)).traced() == ends
    assert group(encode_traces("w", traces[1:])).traced() == ends


def test_traces_that_were_refused_are_left_out() -> None:
    text = encode_traces("w", [tuple(END._replace(job_id=name)) for name in "abc"]).decode()

    assert [past.end.job_id for past in group(without(text, frozenset({1, 3, 99}))).ends()] == ["b"]
    assert worker_in(without(text, frozenset({0}))) is None


@pytest.mark.parametrize(
    ("trace", "end"),
    [
        (["a"], JobEnd("a", "", "", "", 0, 0, 0, 0)),
        ([*END, "of a later version"], END),
        ([7, "step", None, True, "2", 1, 2, 3.5], JobEnd("", "step", "", "", 0, 1, 2, 0)),
        ([], JobEnd("", "", "", "", 0, 0, 0, 0)),
    ],
    ids=["too short", "too long", "wrong types", "empty"],
)
def test_a_trace_of_another_version_or_program_is_read_as_far_as_it_goes(trace: list[Any], end: JobEnd) -> None:
    assert JobEnd.of(trace) == end


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "7", '["w"', "[", '["w", 1, null, "x", {}]', '{"w": "w", "at": 1, "c": []}',
        '{"w": "w", "at": 1, "c": ["a"]}', '{"w": "w", "at": "1", "c": [["a"]]}', '{"w": "w", "at": 1, "c": 7}',
    ],
)  # fmt: skip
def test_a_text_that_has_no_traces_has_no_ends(text: str) -> None:
    assert group(text).ends() == []


@pytest.mark.parametrize(
    ("value", "stored"),
    [("\ud800", "\\ud800"), (2**70, 2**53), (-(2**70), -(2**53)), (b"bytes", ""), ({"a": {1}}, "")],
)
def test_what_json_does_not_have_is_changed_and_stops_no_group(value: Any, stored: object) -> None:
    text = encode_traces("w", [("a", value), ("b", "step"), None])

    assert json.loads(text) == ["w", ["a", stored], ["b", "step"], None]


def test_what_json_does_not_have_stops_no_large_group() -> None:
    ends = many(hospital_id=["\ud800"], tries=[2**70])

    assert group(encode_traces("w", ends)).traced() == many(hospital_id=["\\ud800"], tries=[2**53])


def test_texts_that_are_large_together_are_cut() -> None:
    text = encode_traces("w", [("a" * 300_000, "step"), ("b", "step")])

    assert json.loads(text) == ["w", ["a" * 1_000, "step"], ["b", "step"]]
    assert EndFilter(job_id="a" * 300_000).matches(group(text).ends()[1])


@pytest.mark.parametrize(
    ("wanted", "is_found"),
    [
        ({}, True),
        ({"job_id": "a"}, True),
        ({"job_id": "b"}, False),
        ({"function": "step", "outcome": "complete", "hospital_id": "cms:7", "batch": "load-7"}, True),
        ({"function": "step", "outcome": "dead"}, False),
        ({"hospital_id": "cms:8"}, False),
        ({"batch": "load-8"}, False),
        ({"error": "ValueError"}, False),
        ({"since_ms": 5, "until_ms": 6}, True),
        ({"since_ms": 6}, False),
        ({"until_ms": 5}, False),
    ],
)
def test_an_end_is_wanted_if_all_that_is_given_matches(wanted: dict[str, Any], is_found: bool) -> None:
    assert EndFilter(**wanted).matches(PastEnd(END, "w", 5, "g/001")) is is_found
