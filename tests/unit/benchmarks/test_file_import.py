from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.driver import _imported_documents
from benchmarks.errors import BenchmarkError
from benchmarks.file_import import measure
from benchmarks.scenarios.bulk import check_fates
from producers.generator import Truth, expected_truth, write_rows
from tests.unit.producers.conftest import ScriptedProducer

TRUTH = Truth(rows=10, created=6, same=2, kept=1, rejected=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "hospitals.csv"
    write_rows(path, "csv", 2_500, seed=7)
    return path


async def test_the_whole_import_of_a_file_is_measured(path: Path) -> None:
    producer = ScriptedProducer()

    measured = await measure(cast(Any, producer), path)

    (document,) = producer.imports.documents.values()
    assert (document.state, document.file.rows) == ("finished", 2_500)
    assert (path.parent / document.import_id / "report.ndjson").exists()
    assert sum(measured.fates.values()) == 2_500
    assert measured.fates["unaccounted"] == 0
    assert measured.survey_s > 0 < measured.import_s


def test_the_bare_loop_inserts_what_the_import_stores(path: Path) -> None:
    documents = _imported_documents(path)

    assert len({document["_id"] for document in documents}) == len(documents)
    assert len(documents) == expected_truth(2_500, 7).created
    import_id, _, line = documents[0]["import"].rpartition(":")
    assert line == "2"
    assert documents[0]["created_by_job"] == f"ingest_hospitals:{import_id}:0"
    assert documents[-1]["created_by_job"] == f"ingest_hospitals:{import_id}:2"


@pytest.mark.parametrize(
    ("fates", "stored"),
    [
        ({"created": 6, "same": 2, "collision": 1, "rejected": 1}, 6),
        ({"created": 5, "same": 2, "kept": 1, "rejected": 1, "unaccounted": 1}, 6),
        ({"created": 6, "same": 2, "kept": 1, "rejected": 1}, 5),
    ],
    ids=["another fate", "a row without a fate", "a hospital that is not stored"],
)
def test_only_a_right_import_has_a_figure(fates: dict[str, int], stored: int) -> None:
    check_fates({"created": 6, "same": 2, "kept": 1, "rejected": 1, "unaccounted": 0}, TRUTH, stored=6)

    with pytest.raises(BenchmarkError, match=f"stored {stored} hospitals"):
        check_fates(fates, TRUTH, stored=stored)
