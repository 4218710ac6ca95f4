"""The documentation agrees with the tests and the code that it describes."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from worker.settings_table import settings_table

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = re.compile(r"([\w./-]+\.py)::(\w+)")
LEVELS = frozenset({"warning", "error", "exception", "critical"})
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _exists(path: str, name: str) -> bool:
    file = ROOT / path if path.startswith("tests/") else ROOT / "tests" / path
    return file.is_file() and name in _functions(file)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = REFERENCE.findall(page.read_text(encoding="utf-8"))
    assert [f"{path}::{name}" for path, name in named if not _exists(path, name)] == []


def test_every_picture_that_a_page_shows_is_there_and_small() -> None:
    shown = {
        (page.parent / name).resolve()
        for page in PAGES
        for name in re.findall(r'(?:\(|src="|srcset=")([\w./-]+\.png)', page.read_text(encoding="utf-8"))
    }
    assert shown == set((DOCS / "images").glob("*.png"))
    assert [picture for picture in shown if picture.stat().st_size > 150_000] == []


def test_every_row_for_arq_users_names_a_test() -> None:
    rows = re.findall(r"^\| (?!part of arq|arq 0\.28|---).*$", (DOCS / "arq.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) >= 27
    assert [row for row in rows if not REFERENCE.search(row.rsplit("|", 2)[1])] == []


def test_the_runbook_lists_every_warning_and_error_that_a_worker_logs() -> None:
    runbook = (DOCS / "operations.md").read_text(encoding="utf-8")
    logged = {
        str(keyword.value.value)
        for path in (ROOT / "worker").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS
        for keyword in node.keywords
        if keyword.arg == "action" and isinstance(keyword.value, ast.Constant)
    }
    assert len(logged) > 10
    assert sorted(action for action in logged if f"`{action}`" not in runbook) == []


def test_the_table_of_settings_is_generated_from_the_code() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert settings_table() in page, "replace the table with the output of `hospital-worker settings`"
