import json
from pathlib import Path

import pytest

from worker.monitoring.process_files import ProcessFile, ProcessFiles, file_of
from worker.monitoring.samples import Samples
from worker.queue.histograms import BUCKETS


def sample(count: float, delay_s: float = 0.0) -> Samples:
    made = Samples()
    made.set("hospital_job_tries_total", count, "arq:queue", "ingest", "complete")
    made.set("hospital_workers", 1)
    made.set("hospital_worker_event_loop_delay_seconds", delay_s)
    made.observe("hospital_claim_seconds", [int(count)] * BUCKETS, count)
    return made


def write(folder: Path, pid: int, samples: Samples) -> None:
    file_of(folder, pid).write_text(json.dumps(samples.as_json()))


def tries(samples: Samples) -> float:
    return samples.numbers["hospital_job_tries_total"]["arq:queue", "ingest", "complete"]


def test_processes_are_added_up_and_the_latest_event_loop_is_shown(tmp_path: Path) -> None:
    write(tmp_path, 1, sample(3, delay_s=0.5))
    write(tmp_path, 2, sample(4, delay_s=0.25))
    total = ProcessFiles(tmp_path).samples()

    assert tries(total) == 7
    assert total.numbers["hospital_workers"] == {(): 2}
    assert total.numbers["hospital_worker_event_loop_delay_seconds"] == {(): 0.5}
    assert total.histograms["hospital_claim_seconds"] == {(): ([7] * BUCKETS, 7.0)}


def test_no_counter_falls_when_a_process_is_replaced_again_and_again(tmp_path: Path) -> None:
    files = ProcessFiles(tmp_path)
    seen = []
    for pid in range(1, 6):
        write(tmp_path, pid, sample(10))
        seen.append(tries(files.samples()))
        files.ended(pid)
        seen.append(tries(files.samples()))

    assert seen == [10, 10, 20, 20, 30, 30, 40, 40, 50, 50]
    assert "hospital_workers" not in files.samples().numbers
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1",
        "[]",
        "{}",
        '{"numbers": 1, "histograms": {}}',
        '{"numbers": {"hospital_workers": [[[], "x"]]}, "histograms": {}}',
        '{"numbers": {"hospital_workers": [[[], NaN]]}, "histograms": {}}',
        '{"numbers": {}, "histograms": {"hospital_claim_seconds": [[[], [[1], 2]]]}}',
    ],
)
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    write(tmp_path, 1, sample(3))
    file_of(tmp_path, 2).write_text(text)
    assert tries(ProcessFiles(tmp_path).samples()) == 3


def test_metrics_of_another_version_are_left_out() -> None:
    stored = sample(3).as_json()
    stored["numbers"]["of_another_version"] = [[[], 1]]
    stored["numbers"]["hospital_job_errors_total"] = [[["a", "label", "too many"], 1]]
    assert set(Samples.from_json(stored).numbers) == set(sample(3).numbers)


def test_a_process_without_its_folder_goes_on(tmp_path: Path) -> None:
    ProcessFile(tmp_path / "gone").write(sample(1))
    assert list(tmp_path.iterdir()) == []
