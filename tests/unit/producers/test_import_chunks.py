"""What an import has in Redis at a time: the bounds that docs/operations.md names."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from producers.files import FileWishes, HospitalFile
from producers.files.columns import ColumnWishes
from producers.imports import FileImport
from tests.support.rejected_rows import write_profile_beside
from tests.unit.producers.scripted_imports import ScriptedBatch
from worker.contract import IngestHospitals, OnExisting
from worker.queue.batches import BatchProgress


class WaitingBatch(ScriptedBatch):
    """A batch of which one job ends whenever somebody waits for it."""

    def __init__(self, batch_id: str, producer: Any) -> None:
        super().__init__(batch_id, producer)
        self.chunks: list[IngestHospitals] = []
        self.most_waiting = self._seen_at = 0

    async def add(self, spec: Any, payloads: list[Any], *, keys: list[str]) -> None:
        self.chunks += payloads
        progress = await super().progress()
        self._progress = replace(progress, total=progress.total + len(payloads))
        self.most_waiting = max(self.most_waiting, self._progress.total - self._progress.ended)

    async def progress(self) -> BatchProgress:
        progress = await super().progress()
        if self._seen_at == progress.total and progress.ended < progress.total:
            self._progress = progress = replace(progress, complete=progress.complete + 1)
        self._seen_at = progress.total
        return progress


async def imported(producer: Any, file: HospitalFile, on_existing: OnExisting = "keep") -> WaitingBatch:
    batches: list[WaitingBatch] = []

    def batch(batch_id: str) -> WaitingBatch:
        if not batches:
            batches.append(WaitingBatch(batch_id, producer))
        return batches[0]

    producer.batch = batch
    loading = FileImport(
        producer, file, on_existing=on_existing, started_by="ito", wait_s=5, on_progress=lambda _: None
    )
    await loading.run()
    return batches[0]


async def test_at_most_eight_chunks_of_a_thousand_rows_wait(producer: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("hospital_name\n" + "".join(f"Hospital {number}\n" for number in range(11_500)))

    batch = await imported(producer, HospitalFile.open(path))

    assert [len(chunk.records) for chunk in batch.chunks] == [1_000] * 11 + [500]
    assert batch.most_waiting == 8


async def test_a_chunk_has_fewer_rows_if_their_attributes_are_long(producer: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    names = [f"{first}{second}" for first in "abcde" for second in "fghijklmno"]
    rows = [",".join([f"Hospital {number}", *(f"{number} " + "x" * 990 for _ in names)]) for number in range(40)]
    path.write_text("\n".join([",".join(["hospital_name", *names]), *rows]) + "\n")
    wishes = FileWishes(columns=ColumnWishes(keep_others=True))

    batch = await imported(producer, HospitalFile.open(path, wishes))

    assert [len(chunk.records) for chunk in batch.chunks] == [31, 9]


async def test_rows_that_collided_change_no_stored_hospital_when_they_are_loaded_again(
    producer: Any, tmp_path: Path
) -> None:
    reasons = [
        "rejected",
        "collision: line 2 has the same identity",
        "collision: line 3",
        "rejected",
        "",
        "collision?",
    ]
    path = tmp_path / "rejects.csv"
    rows = [f"{line},{reason},Oak {line},{line}\n" for line, reason in enumerate(reasons, 5)]
    path.write_text(f"import_line,import_reason,name,beds\n{''.join(rows)}")
    write_profile_beside(path)

    chunks = (await imported(producer, HospitalFile.open(path), on_existing="merge")).chunks

    assert [(chunk.on_existing, chunk.collided, chunk.lines) for chunk in chunks] == [
        ("merge", False, [2]), ("keep", True, [3, 4]), ("merge", False, [5, 6, 7]),
    ]  # fmt: skip
