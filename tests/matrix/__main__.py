"""Runs the matrix axis by axis: every Python, then every server, then every major of redis-py for producers.

Not every combination: what differs between two Pythons does not depend on the server. Environments are created in
`build/matrix`, from wheels only and from requirements.lock, and used again while that file stays the same.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.matrix.finding import PYTHONS, SERVERS, MatrixError, find_pythons, find_servers
from tests.matrix.results import Row, SuiteResult, read_junit, table

FOLDER = Path("build/matrix")
SUITES = {
    "unit": ["tests/unit"],
    "arq_compat": ["tests/arq_compat"],
    # What depends on connections and on scripts.
    "integration": [
        *(f"tests/integration/{part}" for part in ("redis", "queue", "producers")),
        *(f"tests/integration/engine/test_{part}.py" for part in ("failover", "faults", "lease_renewer", "pool")),
    ],
    "producers": ["tests/unit/producers", "tests/unit/redis", "tests/integration/producers"],
}
REDIS_PY = ("6", "7", "8")
"""The majors that producers support besides that of the lock file: arq, and so a worker, needs 5."""

_PARALLEL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--session-timeout", "1500")


def main(arguments: Sequence[str]) -> int:
    """Run the rows whose names contain one of the arguments (all without any); 1 if a test failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="parts of rows' names")
    only = parser.parse_args(arguments).only
    try:
        pythons, servers = find_pythons(os.environ), find_servers(os.environ, FOLDER)
    except MatrixError as error:
        print(f"matrix: {error}", file=sys.stderr)
        return 2
    rows = []
    for name in [
        *(f"Python {version}" for version in PYTHONS),
        *SERVERS,
        *(f"redis-py {major}" for major in REDIS_PY),
    ]:
        if not only or any(part in name for part in only):
            rows.append(run_row(name, pythons, servers))
            print(
                f"{name}: {', '.join(f'{s} {r}' for s, r in rows[-1].results.items()) or rows[-1].found}",
                flush=True,
            )
    for row in rows:
        for suite, result in row.results.items():
            for failure in result.failures:
                print(f"FAILED on {row.name}, {suite}: {failure}")
    print(f"\n{table(rows, list(SUITES))}")
    return int(any(row.failed for row in rows))


def run_row(name: str, pythons: Mapping[str, Path | None], servers: Mapping[str, Path]) -> Row:
    """Run the suites of one row, `Python 3.14` or the like; without what it needs, the row says so."""
    kind, _, version = name.rpartition(" ")
    server, suites = servers.get("Valkey"), ["unit", "arq_compat", "integration"]
    usable = {version: path for version, path in pythons.items() if path}
    python = next(iter(usable.items()), None)
    extra = None
    if kind == "Python":
        if version in pythons and version not in usable:
            return Row(name, "cannot make environments")
        python = (version, usable[version]) if version in usable else None
    elif kind == "redis-py":
        suites, extra = ["producers"], f"redis=={version}.*"
    else:
        server, suites = servers.get(name), ["arq_compat", "integration"]
    if python is None or server is None:
        return Row(name, None)
    try:
        executable = _environment(*python, extra)
    except subprocess.CalledProcessError as error:
        return Row(name, "no environment", {suites[0]: SuiteResult(0, failures=[error.stderr.strip()[-2_000:]])})
    return Row(
        name,
        _found(executable, kind, server),
        {suite: _run_suite(executable, server, name, suite) for suite in suites},
    )


def _environment(version: str, python: Path, extra: str | None) -> Path:
    """The interpreter of an environment with the locked packages, and `extra` in place of one of them."""
    folder = FOLDER / "-".join(filter(None, ("python", version, extra and extra.removesuffix(".*"))))
    executable, stamp = folder / "bin" / "python", folder / "installed"
    wanted = hashlib.sha256(Path("requirements.lock").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return executable
    print(f"Creating {folder}", flush=True)
    pip: list[Path | str] = [executable, "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    _run([python, "-m", "venv", "--without-pip", "--clear", folder])
    # Not by `ensurepip`, which distributions split off or build without its files.
    _run([sys.executable, *pip[1:], "--target", f"{folder}/lib/python{version}/site-packages", "pip"])
    _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", "requirements.lock"])
    # Without a wheel it needs a compiler. Without it, the tests that need it are skipped, and counted as such.
    subprocess.run([*pip, "lupa"], capture_output=True, check=False)
    if extra:
        _run([*pip, "--no-deps", extra])
    _run([*pip, "--no-deps", "--no-build-isolation", "-e", "."])
    stamp.write_text(wanted)
    return executable


def _run(command: Iterable[Path | str]) -> None:
    subprocess.run(list(command), capture_output=True, text=True, check=True)


def _found(executable: Path, kind: str, server: Path) -> str:
    command: list[Path | str] = [server, "--version"]
    if kind == "Python":
        command = [executable, "-c", "import platform; print('', platform.python_version())"]
    elif kind == "redis-py":
        command = [executable, "-c", "import redis; print('', redis.__version__)"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return answer.partition("v=")[2].split()[0] if "v=" in answer else answer.strip()


def _run_suite(executable: Path, server: Path, name: str, suite: str) -> SuiteResult:
    report = FOLDER / f"{name}-{suite}.xml".replace(" ", "-")
    report.unlink(missing_ok=True)
    run = subprocess.run(
        [executable, "-m", "pytest", "-q", *_PARALLEL, f"--junitxml={report}", *SUITES[suite]],
        env=os.environ | {"REDIS_SERVER_BIN": str(server.absolute())},
        stdout=report.with_suffix(".log").open("wb"),
        stderr=subprocess.STDOUT,
        check=False,
    )
    return read_junit(report, run.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
