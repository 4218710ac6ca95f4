"""The plugin disturbs nobody who does not use it."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from producers import testing

ROOT = Path(__file__).resolve().parents[4]
HEAVY = ("arq", "motor", "orjson", "pydantic", "pymongo", "redis", "worker")


def test_importing_it_imports_neither_a_client_nor_a_driver() -> None:
    program = "import sys, producers.testing.plugin; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    imported = set(run.stdout.split())
    assert "producers.testing.plugin" in imported
    assert imported.isdisjoint(HEAVY)


def test_pytest_finds_it_by_the_name_of_its_module() -> None:
    """With another name, `-p producers.testing.plugin` would register it a second time, which pytest refuses."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["pytest11"]
    assert points == {"producers.testing.plugin": "producers.testing.plugin"}
    assert import_module("producers.testing.plugin").recording_producer


@pytest.mark.parametrize("name", testing.__all__)
def test_each_name_of_the_package_is_there(name: str) -> None:
    assert getattr(testing, name).__name__ == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'FakeProducer'"):
        _ = testing.FakeProducer
