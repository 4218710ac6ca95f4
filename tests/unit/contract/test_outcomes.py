from typing import Any, Literal, get_args

import pytest
from pydantic import BaseModel

from worker import contract
from worker.codec import Codec
from worker.contract import (
    ChunkOutcome,
    Difference,
    IngestOutcome,
    IngestStatus,
    NotApplied,
    RecordStatus,
    Rejection,
)


class OldIngestOutcome(BaseModel, extra="ignore"):
    """What a producer of the version before reads."""

    token: str | None = None
    hospital_id: str
    revision: int | None = None
    status: Literal["created", "merged", "unchanged"]
    reason: Literal["kept", "same", "newer_stored", "registered"] | None = None


class OldChunkOutcome(BaseModel, extra="ignore"):
    """What a producer of the version before reads."""

    token: str | None = None
    statuses: list[Literal["created", "merged", "unchanged", "rejected"]]
    rejections: list[dict[str, Any]] = []


def on_the_wire(outcome: BaseModel) -> Any:
    codec = Codec()
    fields = {"t": 1, "f": "f", "a": [], "k": {}, "et": 1, "s": True, "st": 1, "ft": 1, "q": "q"}
    return codec.decode(codec.encode({**fields, "r": outcome}))["r"]


def test_outcomes_ignore_fields_that_a_newer_worker_adds() -> None:
    raw = {"hospital_id": "a:1", "status": "created", "added_later": 1}
    assert IngestOutcome.model_validate(raw).status == "created"


def test_a_chunk_counts_its_statuses() -> None:
    outcome = contract.ChunkOutcome(statuses=["created", "rejected", "created"])
    assert (outcome.count("created"), outcome.count("merged")) == (2, 0)


@pytest.mark.parametrize("status", get_args(IngestStatus))
def test_an_ingest_outcome_survives_the_wire(status: Any) -> None:
    difference = Difference(field="city", stored="A", given=None)
    outcome = IngestOutcome(hospital_id="a:1", revision=2, status=status, differences=[difference])
    assert IngestOutcome.model_validate(on_the_wire(outcome)) == outcome


@pytest.mark.parametrize(
    ("status", "old_status", "old_reason"),
    [
        ("created", "created", None),
        ("merged", "merged", None),
        ("replaced", "merged", None),
        ("same", "unchanged", "same"),
        ("kept", "unchanged", "kept"),
        ("newer_stored", "unchanged", "newer_stored"),
        ("registered", "unchanged", "registered"),
        ("conflict", "unchanged", "kept"),
    ],
)
def test_an_earlier_producer_reads_an_ingest_outcome_in_its_own_words(
    status: Any, old_status: str, old_reason: str | None
) -> None:
    old = OldIngestOutcome.model_validate(on_the_wire(IngestOutcome(hospital_id="a:1", status=status)))
    assert (old.status, old.reason) == (old_status, old_reason)


def test_a_chunk_outcome_survives_the_wire() -> None:
    outcome = ChunkOutcome(
        statuses=list(get_args(RecordStatus)),
        rejections=[Rejection(index=9, problems=["beds: not a number"])],
        not_applied=[
            NotApplied(
                index=8, hospital_id="a:1", line=9, other_line=5, differences=[Difference(field="beds", stored=1)]
            )
        ],
        shortened=True,
    )
    assert ChunkOutcome.model_validate(on_the_wire(outcome)) == outcome


def test_an_earlier_producer_reads_a_chunk_outcome_in_its_own_words() -> None:
    statuses: list[RecordStatus] = list(get_args(RecordStatus))
    old = OldChunkOutcome.model_validate(on_the_wire(ChunkOutcome(statuses=statuses)))
    words = dict(zip(statuses, old.statuses, strict=True))
    assert words == {
        "created": "created",
        "merged": "merged",
        "replaced": "merged",
        "same": "unchanged",
        "kept": "unchanged",
        "newer_stored": "unchanged",
        "registered": "unchanged",
        "conflict": "rejected",
        "collision": "rejected",
        "rejected": "rejected",
    }


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("kept", "kept"),
        ("same", "same"),
        ("newer_stored", "newer_stored"),
        ("registered", "registered"),
        (None, "kept"),
    ],
)
def test_unchanged_of_an_earlier_worker_is_never_read_as_more_than_it_says(reason: str | None, status: str) -> None:
    raw = {"hospital_id": "a:1", "status": "unchanged", "reason": reason, "revision": 3}
    assert IngestOutcome.model_validate(raw).status == status
    chunk = ChunkOutcome.model_validate({"statuses": ["created", "unchanged", "rejected"]})
    assert chunk.statuses == ["created", "kept", "rejected"]
