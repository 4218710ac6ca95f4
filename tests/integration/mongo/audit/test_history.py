from collections.abc import Callable
from typing import Any

import pytest

from worker.errors import PermanentError
from worker.mongo.audit.chain import check_entry
from worker.mongo.audit.history import (
    FieldChange,
    field_changes,
    find_hospital_id,
    read_entries_around,
    read_history,
)
from worker.mongo.client import MongoHandle

BY = {"actor": "Ada", "reason": "checked"}


async def test_history_returns_one_hospitals_entries_in_chain_order(
    mongo: MongoHandle, run_job: Any, record: Callable[..., dict[str, Any]]
) -> None:
    for external_id in ("1", "2"):
        payload = {"record": record(external_id=external_id), **BY}
        await run_job("register_hospital", payload, f"register-{external_id}")
        await run_job("register_hospital", payload, f"again-{external_id}")
    history = [entry async for entry in read_history(mongo, "cms:2")]
    assert [(entry["_id"], entry["event"]) for entry in history] == [
        ("audit:register-2", "registered"),
        ("audit:again-2", "registration_rejected"),
    ]


async def test_an_entry_is_read_with_those_beside_it_and_checked_against_the_one_before(
    mongo: MongoHandle, run_job: Any, record: Callable[..., dict[str, Any]]
) -> None:
    for number in range(4):
        await run_job("register_hospital", {"record": record(), **BY}, f"register-{number}")

    found = await read_entries_around(mongo, "cms:1", 2)

    assert {seq: entry["_id"] for seq, entry in found.items()} == {
        1: "audit:register-0", 2: "audit:register-1", 3: "audit:register-2",
    }  # fmt: skip
    assert await read_entries_around(mongo, "cms:1", 7) == {}
    assert [check_entry(found[1], None), check_entry(found[2], found[1])] == [None, None]
    for entry, previous, problem in (
        (found[2] | {"actor": "Eve"}, found[1], "wrong_hash"),
        (found[3], found[1], "wrong_seq"),
        (found[2], found[1] | {"hash": "0"}, "wrong_prev_hash"),
        (found[2], {"seq": 1}, "malformed"),
        ({"seq": 2}, found[1], "malformed"),
    ):
        finding = check_entry(entry, previous)
        assert finding is not None
        assert finding.problem == problem


async def test_a_hospital_is_found_by_id_or_by_name(mongo: MongoHandle, run_job: Any) -> None:
    await run_job("ingest_hospital", {"record": {"hospital_name": "Straße: Nord"}}, "ingest")
    await run_job("register_hospital", {"record": {"hospital_name": "Mercy"}, **BY}, "register")
    await run_job("withdraw_hospital", {"hospital_id": "name:mercy", **BY}, "withdraw")
    for given in ("name:strasse: nord", "name:Straße:  Nord", "STRASSE: NORD"):
        assert await find_hospital_id(mongo, given) == "name:strasse: nord"
    assert await find_hospital_id(mongo, " MERCY ") == "name:mercy"
    assert await find_hospital_id(mongo, "unknown") is None


async def test_a_hospital_identified_by_name_and_place_is_found_by_its_name_if_that_is_unique(
    mongo: MongoHandle, run_job: Any
) -> None:
    for city in ("Aveda", "Brusk"):
        record = {"hospital_name": "Civil (A+E)", "city": city}
        await run_job("register_hospital", {"record": record, **BY}, f"register-{city}")
        if city == "Aveda":
            assert await find_hospital_id(mongo, "CIVIL (A+E)") == "name:civil (a+e) CITY aveda"
            assert await find_hospital_id(mongo, "Civil") is None
    assert await find_hospital_id(mongo, "name:civil (a+e) CITY brusk") == "name:civil (a+e) CITY brusk"
    with pytest.raises(PermanentError, match="more than one hospital has this name"):
        await find_hospital_id(mongo, "Civil (A+E)")
    for city in ("aveda", "brusk"):
        hospital_id = f"name:civil (a+e) CITY {city}"
        await run_job("withdraw_hospital", {"hospital_id": hospital_id, **BY}, f"withdraw-{city}")
    with pytest.raises(PermanentError, match="CITY aveda"):
        await find_hospital_id(mongo, "Civil (A+E)")


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, {"a": 1}, [FieldChange("a", [], [1])]),
        ({"a": 1, "b": 2}, {"a": 1}, [FieldChange("b", [2], [])]),
        ({"a": 1}, {"a": True}, [FieldChange("a", [1], [True])]),
        ({"a": None}, {}, [FieldChange("a", [None], [])]),
        (
            {"attributes": {"x": 1, "y": 2}},
            {"attributes": {"x": 1, "y": 3}},
            [FieldChange("attributes.y", [2], [3])],
        ),
        ({"a": 1}, {"a": 1}, []),
        ("tampered with", {"attributes": 7}, [FieldChange("attributes", [], [7])]),
    ],
)
def test_changes_are_listed_field_by_field(before: Any, after: Any, changes: list[FieldChange]) -> None:
    assert field_changes(before, after) == changes
