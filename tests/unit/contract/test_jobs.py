import re

import pytest

from worker import contract
from worker.contract import JOBS, batch_job_id, has_key, new_job_id
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
    assert re.fullmatch(r"ingest_hospital:~[-\w]{16}", new_job_id(ingest))


@pytest.mark.parametrize("key", ["!", "~", "order/42#a:b", "x" * 200, "~" * 17, f"~{'x' * 15}", f"~{'x' * 17}"])
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


def test_the_ids_of_a_batchs_jobs_are_none_that_a_key_can_make() -> None:
    completion, job = (
        batch_job_id(contract.INGEST_HOSPITAL, "June"),
        batch_job_id(contract.INGEST_HOSPITAL, "June", "x:y"),
    )
    assert (completion, job) == ("ingest_hospital:~batch:June", "ingest_hospital:~batch:June:x:y")
    for job_id in (completion, job):
        # An ended batch stores what its jobs did: a repeated call must not run them again.
        assert has_key(job_id)
        with pytest.raises(InvalidPayload, match="'~batch:' at the start is reserved for jobs of batches"):
            new_job_id(contract.INGEST_HOSPITAL, job_id.partition(":")[2])
    # Such an id of a batch looks like what ids without a key have.
    assert has_key(batch_job_id(contract.INGEST_HOSPITAL, "x" * 16))


@pytest.mark.parametrize("key", ["two words", "x" * 196])
def test_an_invalid_key_of_a_batchs_job_is_refused(key: str) -> None:
    with pytest.raises(InvalidPayload, match="idempotency_key: expected 1 to 200 printable ASCII characters"):
        batch_job_id(contract.INGEST_HOSPITAL, "June", key)


@pytest.mark.parametrize("name", JOBS)
def test_an_id_without_a_key_shows_that_it_has_none(name: str) -> None:
    assert not any(has_key(new_job_id(JOBS[name])) for _ in range(1_000))
    assert has_key(new_job_id(JOBS[name], "k"))


@pytest.mark.parametrize(
    "job_id",
    [
        "ingest_hospital:hr-42-2025-06-30",
        # Earlier versions, arq's own client, other languages.
        "ingest_hospital:GfL14f156sfOJTIo",
        "0b0d7c5d5d6f4b9c8f2b8a0d9e1c7a55",
        "~GfL14f156sfOJTIo",
        "ingest_hospital:import:~GfL14f156sfOJTIo",
        "ingest_hospital:~GfL14f156sfOJTIo:1",
        "ingest_hospital:~GfL14f156sfOJTI\u00f6",
        "ingest_hospital:~GfL14f156sfOJTIo\n",
        "\udc80",
        "",
    ],
)
def test_every_other_id_counts_as_one_with_a_key(job_id: str) -> None:
    assert has_key(job_id)


def test_a_key_that_looks_like_none_is_refused() -> None:
    with pytest.raises(InvalidPayload) as caught:
        new_job_id(contract.INGEST_HOSPITAL, "~GfL14f156sfOJTIo")
    assert str(caught.value) == (
        "IngestHospital refused: idempotency_key: '~' and 16 letters, digits, '-' or '_' are reserved: "
        "choose another key"
    )
