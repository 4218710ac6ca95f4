import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from producers.files import FileError, HospitalFile
from producers.generator import COLUMNS, SampleFormat, expected_truth, generate_rows, write_rows


def test_the_same_seed_makes_the_same_rows() -> None:
    assert list(generate_rows(500, 3)) == list(generate_rows(500, 3))
    assert list(generate_rows(500, 3)) != list(generate_rows(500, 4))


def test_rows_are_generated_one_by_one() -> None:
    assert [tuple(row) for row in islice(generate_rows(10**12, 1), 2)] == [COLUMNS, COLUMNS]


@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_expected_counts_are_those_of_the_file(tmp_path: Path, file_format: SampleFormat, seed: int) -> None:
    path = tmp_path / "sample"
    write_rows(path, file_format, 20_000, seed)
    records = [row.record for row in HospitalFile.open(path).rows()]
    names: dict[str, str] = {}
    fates: Counter[str] = Counter()
    for record in records:
        if record is None:
            fates["rejected"] += 1
            continue
        first = names.setdefault(record.hospital_id, record.hospital_name)
        fates["same" if first == record.hospital_name else "kept"] += 1
    truth = expected_truth(20_000, seed)
    assert truth.created == len(names)
    assert (truth.rows, truth.kept, truth.rejected) == (len(records), fates["kept"], fates["rejected"])
    assert truth.created + truth.same == fates["same"]
    assert min(truth.same, truth.kept, truth.rejected) > 20


def test_rows_are_messy() -> None:
    rows = list(generate_rows(5_000, 1))
    names = [row["hospital_name"] for row in rows]
    scripts = {unicodedata.name(letter).split()[0] for name in names for letter in name if letter.isalpha()}
    assert {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "THAI", "CJK", "HANGUL"} <= scripts
    assert Counter(names)["MEMORIAL HOSPITAL"] > 10


def test_a_path_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        write_rows(tmp_path / "none" / "x.csv", "csv", 1, 1)
