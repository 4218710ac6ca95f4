"""The log as a person reads it on a terminal; what JSON logs hold is shown in tests/security."""

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
ours, foreign = structlog.stdlib.get_logger("ours"), logging.getLogger("foreign")
structlog.contextvars.bind_contextvars(bound=hostile)
ours.info("job is a dead letter now", job_id=hostile, listed=[hostile], stack=hostile)
foreign.warning("of %s", hostile)
try:
    raise ValueError(hostile)
except ValueError:
    ours.exception("ours failed")
    foreign.exception("foreign failed")
"""


def test_no_text_controls_the_terminal_or_forges_a_line() -> None:
    run = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True, timeout=30)
    assert not re.search(r"[^\n\x20-\x7e]", run.stderr)
    lines = run.stderr.splitlines()
    begun = [line for line in lines if not line.startswith("  ")]
    assert [re.search(r"\] (job is|of|ours|foreign)", line) is not None for line in begun] == [True] * 4
    assert all(r"x1b[31mred" in line and r"\n2026-01-01 [info     ] forged log line" in line for line in begun[:2])
    # A traceback keeps its lines, indented, so that none can pass for a line of the log.
    assert lines.count("  Traceback (most recent call last):") == 2
    assert lines.count("  2026-01-01 [info     ] forged log line") == 3
