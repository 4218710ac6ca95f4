"""`dead import` of a file that changes between the look at all lines and the storing of them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.bulk import plant
from tests.integration.monitoring.dashboard.test_acts import recorded
from worker.commands import dead_files
from worker.contract.actions import Action
from worker.queue import keys
from worker.queue.actions import keep_action

COUNT = 150
BROKEN = '{"job_id": "ingest'


async def exported(planted: Planted, file: Path) -> list[str]:
    """Export dead letters, more than are stored at once, and discard them; returns the lines."""
    await plant(planted, COUNT)
    assert (await planted.command("dead", "export", str(file))).code == 0
    await planted.redis.delete(keys.DEAD, keys.DEAD_INDEX)
    return file.read_text().splitlines(keepends=True)


def change_when_checked(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Change the file once its lines have been checked, and before the first is stored."""

    async def keep_and_change(redis: Any, action: Action) -> None:
        await keep_action(redis, action)
        change()

    monkeypatch.setattr(dead_files, "keep_action", keep_and_change)


def grow(file: Path) -> None:
    with file.open("a") as lines:
        lines.write(BROKEN)


def replace(file: Path) -> None:
    other = file.with_suffix(".other")
    other.write_text(BROKEN)
    other.replace(file)


@pytest.mark.parametrize("change", [grow, replace, Path.unlink])
async def test_the_lines_that_were_checked_are_imported_though_the_file_has_grown_or_gone(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    file = tmp_path / "letters.ndjson"
    await exported(planted, file)
    change_when_checked(monkeypatch, lambda: change(file))

    done = await planted.command("dead", "import", str(file))

    assert (done.code, done.out, done.err) == (0, f"{COUNT} imported\n", "")
    assert await planted.redis.hlen(keys.DEAD) == COUNT


@pytest.mark.parametrize(("left", "added", "stored"), [(120, BROKEN, 100), (120, "", 120), (0, "", 0)])
async def test_a_file_whose_checked_lines_have_changed_is_told_with_how_many_were_imported(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, added: str, stored: int
) -> None:
    file = tmp_path / "letters.ndjson"
    lines = await exported(planted, file)
    change_when_checked(monkeypatch, lambda: file.write_text("".join(lines[:left]) + added))

    done = await planted.command("dead", "import", str(file))

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"hospital-worker: {file}: the file has changed while it was read; {stored} imported; repeat the import\n"
    )
    assert await planted.redis.hlen(keys.DEAD) == stored
    ends = sorted((action.result, action.count) for action in await recorded(planted))
    assert ends == [("begun", COUNT), ("the file changed", stored)]


async def test_a_pipe_is_refused_because_its_lines_are_read_twice(planted: Planted) -> None:
    read_end, write_end = os.pipe()
    try:
        os.close(write_end)
        refused = await planted.command("dead", "import", f"/dev/fd/{read_end}")
    finally:
        os.close(read_end)
    assert refused.code == 2
    assert "is a pipe" in refused.err
    assert await recorded(planted) == []
