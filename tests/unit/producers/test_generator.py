import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from producers.files import FileError, FileFormat, HospitalFile
from producers.generator import COLUMNS, expected_truth, generate_rows, write_rows


def test_the_same_seed_makes_the_same_rows() -> None:
    assert list(generate_rows(500, 3)) == list(generate_rows(500, 3))
    assert list(generate_rows(500, 3)) != list(generate_rows(500, 4))


def test_rows_are_generated_one_by_one() -> None:
    assert [tuple(row) for row in islice(generate_rows(10**12, 1), 2)] == [COLUMNS, COLUMNS]


@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_expected_counts_are_those_of_the_file(tmp_path: Path, file_format: FileFormat, seed: int) -> None:
    path = tmp_path / "sample"
    write_rows(path, file_format, 20_000, seed)
    rows = list(HospitalFile.open(path).rows())
    identities = Counter(row.record.hospital_id for row in rows if row.record)
    truth = expected_truth(20_000, seed)
    assert (truth.rows, truth.distinct, truth.duplicates, truth.bad) == (
        len(rows),
        len(identities),
        identities.total() - len(identities),
        sum(row.record is None for row in rows),
    )
    assert truth.bad > 100
    assert truth.duplicates > 300


def test_rows_are_messy() -> None:
    rows = list(generate_rows(5_000, 1))
    names = [row["hospital_name"] for row in rows]
    scripts = {unicodedata.name(letter).split()[0] for name in names for letter in name if letter.isalpha()}
    assert {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "THAI", "CJK", "HANGUL"} <= scripts
    assert Counter(names)["MEMORIAL HOSPITAL"] > 10


def test_a_path_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        write_rows(tmp_path / "none" / "x.csv", "csv", 1, 1)
