from worker import contract
from worker.contract import IngestOutcome


def test_outcomes_ignore_fields_that_a_newer_worker_adds() -> None:
    raw = {"hospital_id": "a:1", "status": "created", "added_later": 1}
    assert IngestOutcome.model_validate(raw).status == "created"


def test_a_chunk_counts_its_statuses() -> None:
    outcome = contract.ChunkOutcome(statuses=["created", "rejected", "created"])
    assert (outcome.count("created"), outcome.count("merged")) == (2, 0)
