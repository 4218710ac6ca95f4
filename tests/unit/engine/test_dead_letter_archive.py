import resource
from pathlib import Path

import pytest

from worker.engine.dead_letter_archive import _append


def test_a_line_that_was_written_in_part_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "dead.ndjson"
    _append(file, b"first\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk: the system writes what fits, and refuses the rest.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            _append(file, b"x" * 10_000 + b"\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    _append(file, b"second\n")

    assert file.read_bytes() == b"first\nsecond\n"
