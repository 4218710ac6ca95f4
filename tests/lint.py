"""The tests' own lint: it reads the source of the tests and rejects code that makes them slow, flaky or blind.

Run it as `python tests/lint.py`; it prints one line per finding and exits with 1 if there is any. A line
that must break a rule ends with `# lint: allow RULE: reason`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SLEEP = 0.1  # seconds; from here on a test waits for a fixed time instead of a condition
PORT = re.compile(r"(?:^|:)(6379|27017)\b")
SKIPS = {"skip", "skipif", "xfail", "importorskip"}
KEY_SPACE = {"flushdb", "flushall", "keys"}
RERUNS = re.compile(r"\b(pytest[-_](rerunfailures|retry)|flaky)\b|--(reruns|retries)\b")
ALLOWED = re.compile(r"# lint: allow ([a-z-]+): \S")


@dataclass(frozen=True, order=True)
class Finding:
    """One violation of a rule, at one line of one file."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


def check_source(source: str, path: str) -> list[Finding]:
    """Return the findings in one test module, in the order of its lines."""
    lines = source.splitlines()
    found = (Finding(path, *problem) for problem in _problems(ast.parse(source, path)))
    return sorted(finding for finding in found if finding.rule not in ALLOWED.findall(lines[finding.line - 1]))


def check_dependencies(text: str, path: str) -> list[Finding]:
    """Return the lines of a requirements or configuration file that enable reruns of failed tests."""
    return [
        Finding(path, number, "reruns", "a rerun hides a race: fix the test")
        for number, line in enumerate(text.splitlines(), start=1)
        if RERUNS.search(line)
    ]


def _problems(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    numbers = _module_numbers(tree)
    nodes = list(ast.walk(tree))
    with_reason = {id(node.func) for node in nodes if isinstance(node, ast.Call) and _has_reason(node)}
    awaited = {id(node.value) for node in nodes if isinstance(node, ast.Await)}
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test_"):
                if not any(_asserts(inner) for inner in ast.walk(node)):
                    yield node.lineno, "no-assertion", f"{name} asserts nothing, so it cannot fail"
            case ast.Attribute(attr=name) if _last_name(node.value) in {"pytest", "mark"}:
                if name in SKIPS and id(node) not in with_reason:
                    yield node.lineno, "skip", f"{name} without a reason"
                if name == "flaky":
                    yield node.lineno, "reruns", "a rerun hides a race: fix the test"
            case ast.Constant(value=int() | str() as value) if PORT.search(str(value)):
                yield node.lineno, "port", "a fixed port may belong to another server: use a free port"
            case ast.Call(args=[first, *_]) if (
                _last_name(node.func) == "sleep" and _number(first, numbers) >= LONGEST_SLEEP
            ):
                yield node.lineno, "sleep", f"sleeps {LONGEST_SLEEP} s or more: wait for a condition"
            case ast.Call() if _touches_all_keys(node, awaited=id(node) in awaited):
                yield node.lineno, "key-space", "affects keys of other tests: name the test's own keys"


def _module_numbers(tree: ast.Module) -> dict[str, float]:
    return {
        target.id: _number(node.value, {})
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _number(node: ast.expr, numbers: dict[str, float]) -> float:
    """Return the value of a literal or of a module's constant, or 0 if it is known only at run time."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            return numbers.get(name, 0)
    return 0


def _asserts(node: ast.AST) -> bool:
    match node:
        case ast.Assert():
            return True
        case ast.Call():
            name = _last_name(node.func)
            return name.startswith(("assert_", "expect_")) or name in {"raises", "warns", "fail"}
    return False


def _has_reason(call: ast.Call) -> bool:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
    if _last_name(call.func) == "skip":  # the first argument of the others is not the reason
        given += call.args[:1]
    return any(not isinstance(value, ast.Constant) or _is_text(value) for value in given)


def _is_text(node: ast.Constant) -> bool:
    return isinstance(node.value, str) and bool(node.value.strip())


def _touches_all_keys(call: ast.Call, *, awaited: bool) -> bool:
    match call:
        # A mapping's keys() takes no argument and is never awaited.
        case ast.Call(func=ast.Attribute(attr="keys")):
            return awaited or bool(call.args or call.keywords)
        case ast.Call(func=ast.Attribute(attr="execute_command"), args=[ast.Constant(value=str() as text), *_]):
            return text.partition(" ")[0].lower() in KEY_SPACE
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in KEY_SPACE
    return False


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def main() -> int:
    """Check every test module and the files that list the tests' plugins; return the exit code."""
    findings = [
        finding
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for finding in check_source(path.read_text("utf-8"), str(path.relative_to(ROOT)))
    ]
    for name in ("pyproject.toml", "requirements.lock"):
        findings += check_dependencies((ROOT / name).read_text("utf-8"), name)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
