import json
from collections.abc import AsyncIterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from worker.commands.streaming import Form, output, write_all
from worker.errors import ConfigurationError

LIST = Form(json.dumps, before="[", between=",", after="]")


async def documents(count: int) -> AsyncIterator[dict[str, Any]]:
    for number in range(count):
        yield {"n": number}


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_list_is_whole_whatever_its_length(count: int) -> None:
    target = StringIO()
    assert await write_all(documents(count), LIST, target) == count
    assert json.loads(target.getvalue()) == [{"n": number} for number in range(count)]


@pytest.fixture(params=[True, False], ids=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the file system has links."""

    def refuse(*_: object) -> None:
        raise PermissionError("no links")

    if not request.param:
        monkeypatch.setattr(Path, "hardlink_to", refuse)


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path: Path, links: None) -> None:
    path = tmp_path / "out.csv"
    with output(path) as target:
        target.write("whole")
        target.flush()
        assert not path.exists()
    assert path.read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_export_leaves_no_file(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), output(tmp_path / "out.csv") as target:
        target.write(str(1 / 0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("early", [True, False])
def test_a_file_is_never_overwritten(tmp_path: Path, links: None, early: bool) -> None:
    path = tmp_path / "out.csv"
    if early:
        path.write_text("other")
    with pytest.raises(ConfigurationError, match="already exists; choose another name"), output(path):
        path.write_text("other")
    assert path.read_text() == "other"
    assert list(tmp_path.iterdir()) == [path]
