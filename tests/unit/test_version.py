from importlib import metadata

import pytest

from worker.version import installed_version


def test_the_version_is_that_of_the_installed_package() -> None:
    assert installed_version() == metadata.version("hospital-registry-worker")


def test_sources_that_are_not_installed_run_without_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", not_installed)

    assert installed_version() == "unknown"
