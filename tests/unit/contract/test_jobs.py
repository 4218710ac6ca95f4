import re

import pytest

from worker import contract
from worker.contract import JOBS, new_job_id
from worker.errors import InvalidPayload


def test_jobs_are_found_by_name() -> None:
    assert all(spec.name == name for name, spec in JOBS.items())


def test_only_chunks_of_files_go_to_the_bulk_queue() -> None:
    assert [name for name, spec in JOBS.items() if spec.queue == contract.BULK_QUEUE] == ["ingest_hospitals"]


def test_a_job_id_consists_of_the_job_name_and_the_key() -> None:
    ingest, register = contract.INGEST_HOSPITAL, contract.REGISTER_HOSPITAL
    assert new_job_id(ingest, "k:1") == new_job_id(ingest, "k:1") == "ingest_hospital:k:1"
    assert new_job_id(ingest, "k") != new_job_id(register, "k")
    assert new_job_id(ingest) != new_job_id(ingest)
    assert re.fullmatch(r"ingest_hospital:[-\w]{16}", new_job_id(ingest))


@pytest.mark.parametrize("key", ["!", "~", "order/42#a:b", "x" * 200])
def test_a_valid_idempotency_key_is_part_of_the_job_id_unchanged(key: str) -> None:
    assert new_job_id(contract.INGEST_HOSPITAL, key) == f"ingest_hospital:{key}"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "  ",
        "x" * 201,
        "a\x00",
        "a\nb",
        "\ud800",
        "\u200b",
        "Zebra 4711",
        "Zebra4711\n",
        " Zebra4711",
        "Zébra4711",
    ],
)
def test_an_invalid_idempotency_key_is_refused_without_its_value(key: str) -> None:
    with pytest.raises(InvalidPayload, match="idempotency_key: ") as caught:
        new_job_id(contract.INGEST_HOSPITAL, key)
    assert str(caught.value) == (
        "IngestHospital refused: idempotency_key: expected 1 to 200 printable ASCII characters without spaces"
    )
