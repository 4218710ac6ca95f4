"""A preview finds hospitals that are stored under other identities than the records have."""

from typing import Any

import pytest

from tests.integration.mongo.conftest import RunJob
from tests.integration.mongo.import_chunks import all_hospitals
from worker.mongo.client import MongoHandle
from worker.mongo.schema import NAMES

OAK = {"hospital_name": "Oak Hospital", "city": "Agra", "source": "moh"}
BY_CODE = {**OAK, "external_id": "0013"}
BY_NAME = {**OAK, "local_id": "D1"}


@pytest.mark.parametrize(
    ("stored", "record", "is_found"),
    [
        # Read by name and place before, and by code now, or the other way round.
        (BY_NAME, {**OAK, "hospital_name": "OAK hospital", "external_id": "D1"}, True),
        (BY_CODE, {**OAK, "local_id": "0013"}, True),
        (BY_CODE, OAK, True),
        # Another code.
        (BY_CODE, {**OAK, "external_id": "13"}, True),
        (BY_CODE, {**OAK, "hospital_name": "OAK HOSPITAL", "external_id": "13"}, True),
        (BY_CODE, {**OAK, "city": "282001 Agra", "external_id": "13"}, True),
        (BY_CODE, {**OAK, "city": "Brusk", "external_id": "13"}, False),
        (BY_CODE, {**OAK, "source": "other", "external_id": "13"}, False),
        (BY_CODE, {**OAK, "hospital_name": "Elm Hospital", "external_id": "13"}, False),
        ({**BY_CODE, "address": "Hill 1"}, {**OAK, "address": "Hill 2", "external_id": "13"}, False),
        # Less of the place, no source at first, and other letters.
        ({**OAK, "postal_code": "282001"}, OAK, True),
        ({**OAK, "source": None}, BY_CODE, True),
        (
            {**OAK, "hospital_name": "İSTANBUL HASTANESİ", "city": "KIRIKKALE"},
            {**OAK, "hospital_name": "İstanbul Hastanesi", "city": "Kırıkkale"},  # noqa: RUF001  # is about them
            True,
        ),
        *(
            ({**BY_CODE, "hospital_name": one}, {**OAK, "hospital_name": other, "external_id": "13"}, True)
            for pair in (
                ("St Mary's", "St. Mary\u2019s"),
                ("A-Nord", "A \u2013 Nord"),
                ("Klinik \u00abX\u00bb", 'Klinik "X"'),
                ("Mother & Child Clinic", "Mother and Child Clinic"),
                ("Hôpital Général", "HOPITAL GENERAL"),
                ("Νοσοκομείο Ρόδου", "ΝΟΣΟΚΟΜΕΙΟ ΡΟΔΟΥ"),
                ("Королёв ЦРБ", "Королев ЦРБ"),
                ("مستشفى علي", "مستشفي على"),
                ("بیمارستان کودکان", "بيمارستان كودكان"),
                ("Szpital Łódź", "Szpital Lodz"),
            )
            for one, other in (pair, pair[::-1])
        ),
        ({**BY_CODE, "hospital_name": "Clinic 12"}, {**OAK, "hospital_name": "Clinic 1-2"}, False),
        # No source now, whatever the one before was.
        (BY_CODE, {**OAK, "source": None}, True),
        ({**OAK, "address": "Hill 1"}, {**OAK, "source": None, "local_id": "D1"}, True),
        (BY_CODE, {**OAK, "source": None, "city": "Brusk"}, False),
        # Stored as it is.
        (BY_CODE, BY_CODE, False),
    ],
)
async def test_hospitals_are_found_under_other_identities(
    mongo: MongoHandle, run_job: RunJob, stored: dict[str, Any], record: dict[str, Any], is_found: bool
) -> None:
    given = {field: value for field, value in stored.items() if value is not None}
    await run_job("ingest_hospitals", {"records": [given]})
    before = await all_hospitals(mongo)
    known = {field: value for field, value in record.items() if value is not None}
    found = await run_job("preview_hospitals", {"records": [known]})
    expected = [(0, next(iter(before)))] if is_found else []
    assert [(it.index, it.hospital_id) for it in found.stored_elsewhere] == expected
    assert await all_hospitals(mongo) == before


async def test_each_stored_hospital_is_that_of_one_record(run_job: RunJob) -> None:
    await run_job("ingest_hospitals", {"records": [BY_CODE, {**OAK, "external_id": "0014"}]})
    records = [BY_CODE, *({**OAK, "external_id": code} for code in ("A", "B", "C"))]
    found = await run_job("preview_hospitals", {"records": records})
    assert [(it.index, it.hospital_id) for it in found.stored_elsewhere] == [(1, "moh:0014")]
    assert found.stored == 1


async def test_records_that_would_rename_hospitals_are_counted(run_job: RunJob) -> None:
    await run_job("ingest_hospitals", {"records": [{**OAK, "external_id": str(n)} for n in range(1, 4)]})
    records = [
        {**OAK, "external_id": str(n), "hospital_name": name}
        for n, name in enumerate(["Elm Hospital", "Oak", "OAK HOSPITAL OF AGRA"], start=1)
    ]
    merge = await run_job("preview_hospitals", {"records": records, "on_existing": "merge"})
    keep = await run_job("preview_hospitals", {"records": records})
    assert (merge.renamed, keep.renamed) == (1, 0)


TOWNS = [{**OAK, "external_id": f"C{n}", "city": f"Town {n}"} for n in range(6)]
NAMES_OF_METRO = [{**OAK, "external_id": f"C{n}", "hospital_name": f"Ward {'ABCDEF'[n]}"} for n in range(6)]


def _given_anew(stored: list[dict[str, Any]], gone: int) -> list[dict[str, Any]]:
    """Return a delivery without one hospital, with the codes of the others counted anew."""
    rest = [it for at, it in enumerate(stored) if at != gone]
    return [{**it, "external_id": code["external_id"]} for it, code in zip(rest, stored, strict=False)]


@pytest.mark.parametrize(
    ("stored", "records", "moved"),
    [
        (NAMES_OF_METRO, _given_anew(NAMES_OF_METRO, 2), 3),
        (NAMES_OF_METRO, _given_anew(NAMES_OF_METRO, 0), 5),
        (NAMES_OF_METRO, _given_anew(NAMES_OF_METRO, 4), 1),
        (TOWNS, _given_anew(TOWNS, 1), 4),
        (
            NAMES_OF_METRO,
            [{**NAMES_OF_METRO[0], "external_id": "C1"}, {**NAMES_OF_METRO[1], "external_id": "C0"}],
            2,
        ),
        # Renamed, moved, and written otherwise.
        (NAMES_OF_METRO, [{**it, "hospital_name": f"New {it['hospital_name']} X"} for it in NAMES_OF_METRO], 0),
        (NAMES_OF_METRO, [{**it, "hospital_name": f"Clinic {it['external_id']}"} for it in NAMES_OF_METRO], 0),
        (TOWNS, [{**it, "city": f"Port {it['external_id']}"} for it in TOWNS], 0),
        (TOWNS, [{**it, "city": it["city"].upper()} for it in TOWNS], 0),
        # The other one of the name has its row too.
        (NAMES_OF_METRO, [{**NAMES_OF_METRO[0], "hospital_name": "Ward B"}, NAMES_OF_METRO[1]], 0),
        (TOWNS, TOWNS[1:], 0),
    ],
)
async def test_records_that_move_hospitals_to_other_codes_are_counted(
    run_job: RunJob, stored: list[dict[str, Any]], records: list[dict[str, Any]], moved: int
) -> None:
    await run_job("ingest_hospitals", {"records": stored})
    found = await run_job("preview_hospitals", {"records": records, "on_existing": "merge"})
    assert found.moved == moved
    assert (await run_job("preview_hospitals", {"records": records})).moved == 0


async def test_names_are_looked_up_by_their_index(mongo: MongoHandle, run_job: RunJob) -> None:
    await run_job("ingest_hospitals", {"records": [{**OAK, "hospital_name": f"Oak {n}"} for n in range(500)]})
    condition = {"hospital_name": {"$in": ["Oak 3", "OAK-4"]}, "source": {"$in": ["moh", None]}}
    plan = await mongo.hospitals.find(condition, collation=NAMES).explain()
    assert plan["executionStats"]["totalDocsExamined"] == 2
    assert "hospital_name_letters" in str(plan["queryPlanner"]["winningPlan"])
