from typing import Any

import pytest
from pydantic import BaseModel

from worker.contract import (
    BULK_QUEUE,
    DEFAULT_QUEUE,
    INGEST_HOSPITAL,
    INGEST_HOSPITALS,
    AmendHospital,
    CorrectHospital,
    DiscardHospital,
    HospitalChanges,
    HospitalRecord,
    IngestHospital,
    IngestHospitals,
    RegisterHospital,
    WithdrawHospital,
)
from worker.contract.imports import FindImports
from worker.contract.source_queues import queue_of, queues_in_turn, source_of

CMS = HospitalRecord(hospital_name="Mercy", source="cms", external_id="1")
NO_SOURCE = HospitalRecord(hospital_name="Mercy")
CHANGES = HospitalChanges(beds=7)
BY: Any = {"actor": "dr-ito", "reason": "licence 4711"}
CMS_QUEUE = "arq:queue:cms"


@pytest.mark.parametrize(
    ("payload", "source"),
    [
        (IngestHospital(record=CMS), "cms"),
        (IngestHospital(record=NO_SOURCE), None),
        (RegisterHospital(record=CMS, **BY), "cms"),
        (CorrectHospital(hospital_id="cms:1", changes=CHANGES, revision=1), "cms"),
        (DiscardHospital(hospital_id="cms:a:b", revision=1), "cms"),
        (AmendHospital(hospital_id="name:mercy SOURCE cms CITY aveda", changes=CHANGES, **BY), "cms"),
        (WithdrawHospital(hospital_id="name:mercy CITY aveda", **BY), None),
        (IngestHospitals(records=[CMS, NO_SOURCE]), "cms"),
        (IngestHospitals(records=[{"hospital_name": "Mercy", "source": "cms"}]), "cms"),
        (IngestHospitals(records=[{"hospital_name": "Mercy"}, CMS]), None),
        (IngestHospitals(records=[{"hospital_name": "Mercy", "source": 7}]), None),
        (IngestHospitals(records=["not a record"]), None),
        (FindImports(import_id="i", limit=1), None),
    ],
    ids=str,
)
def test_a_job_is_about_a_source(payload: BaseModel, source: str | None) -> None:
    assert source_of(payload) == source


@pytest.mark.parametrize(
    ("source", "single", "chunk"),
    [("cms", CMS_QUEUE, CMS_QUEUE), ("nhs", DEFAULT_QUEUE, BULK_QUEUE), (None, DEFAULT_QUEUE, BULK_QUEUE)],
)
def test_a_source_has_its_own_queue_or_shares_that_of_the_kind(source: str | None, single: str, chunk: str) -> None:
    queues = {"cms": CMS_QUEUE}
    assert (queue_of(INGEST_HOSPITAL, source, queues), queue_of(INGEST_HOSPITALS, source, queues)) == (
        single,
        chunk,
    )


def test_the_queues_of_sources_take_turns_with_the_one_that_others_share() -> None:
    assert queues_in_turn({"cms": CMS_QUEUE, "mac": CMS_QUEUE}) == {DEFAULT_QUEUE, CMS_QUEUE}
    assert queues_in_turn({}) == frozenset()
