"""The log in the console format. The tests of the JSON format are in tests/security."""

import json
import re
import subprocess
import sys

HOSTILE = "\x1b[31mred\x1b[0m[bold]x[/bold]\n2026-01-01 [info     ] forged log line"
LOGGING = f"""
import logging
import structlog
from worker.logs import configure_logging
from worker.settings import load_settings

configure_logging(load_settings(log_format="console"))
hostile = {HOSTILE!r}
project, library = structlog.stdlib.get_logger("project"), logging.getLogger("library")
structlog.contextvars.bind_contextvars(bound=hostile)
project.info("dead letter", job_id=hostile, listed=[hostile], stack=hostile)
library.warning("about %s", hostile)
try:
    raise ValueError(hostile)
except ValueError:
    project.exception("project failed")
    library.exception("library failed")
"""


def test_no_text_controls_the_terminal_or_forges_a_line() -> None:
    run = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True, timeout=30)
    assert not re.search(r"[^\n\x20-\x7e]", run.stderr)
    lines = run.stderr.splitlines()
    first_lines = [line for line in lines if not line.startswith("  ")]
    starts = [re.search(r"\] (dead letter|about|project|library)", line) is not None for line in first_lines]
    assert starts == [True] * 4
    for line in first_lines[:2]:
        assert r"x1b[31mred" in line
        assert r"\n2026-01-01 [info     ] forged log line" in line
    # A traceback keeps its lines, indented, so that none can pass for a log line.
    assert lines.count("  Traceback (most recent call last):") == 2
    assert lines.count("  2026-01-01 [info     ] forged log line") == 3


def test_a_traceback_in_json_holds_no_local_variables() -> None:
    code = """
import structlog
from worker.logs import configure_logging
from worker.settings import load_settings

configure_logging(load_settings(log_format="json"))


def job(payload):
    raise ValueError("failed")


try:
    job("Xanthippe")
except ValueError:
    structlog.stdlib.get_logger("ours").exception("job failed")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert "ValueError" in run.stderr
    assert "Xanthippe" not in run.stderr


ENGINE = """
from worker.engine.event_log import log_events
from worker.engine.events import Events, HookFailed, RedisLost
from worker.logs import configure_logging
from worker.settings import load_settings

# The engine may log before, as any library may.
events = Events()
log_events(events)
configure_logging(load_settings(log_format="FORMAT"))
events.send(RedisLost("TimeoutError", ""))
events.send(HookFailed("after_job_end", "a job", "ValueError", "", "one\\n  two"))
"""


def _engine_lines(log_format: str) -> list[str]:
    code = ENGINE.replace("FORMAT", log_format)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout == ""
    return run.stderr.splitlines()


def test_a_line_of_the_engine_is_one_json_object_as_any_other() -> None:
    lost, hook = map(json.loads, _engine_lines("json"))
    assert re.fullmatch(r"\d{4}-.*Z", lost.pop("timestamp"))
    assert list(lost.items()) == [
        ("action", "redis_lost"),
        ("error", "TimeoutError"),
        ("code", ""),
        ("event", "Redis is unavailable or refuses writes; keeping running jobs, not taking new ones"),
        ("level", "error"),
        ("logger", "worker.engine"),
    ]
    assert (hook["job_id"], hook["stack"]) == ("a job", "one\n  two")


def test_a_line_of_the_engine_on_the_console_shows_its_facts_and_its_stack() -> None:
    lost, hook, *stack = _engine_lines("console")
    assert re.match(r"\S+ \[error    \] Redis is unavailable", lost)
    assert "[worker.engine] action=redis_lost code= error=TimeoutError" in lost
    assert "job_id='a job'" in hook
    assert stack == ["  one", "    two"]
