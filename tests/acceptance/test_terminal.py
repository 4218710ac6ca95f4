"""An operator sees the text that others wrote to Redis, but its control codes do not reach the terminal."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Site
from tests.support.dead_letters import store_dead_letter
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure, payload_text
from worker.queue.heartbeats import Heartbeat, redis_time, write_heartbeat

HOSTILE = "\x1b[31mred\x1b[0m[bold]x[/bold]\n2026 forged log line\x07\x9b2J"
SHOWN = r"\x1b[31mred\x1b[0m[bold]x[/bold]\n2026 forged log line\x07\x9b2J"


# One process for all commands, because a process takes a second to start.
RUN_ALL = """
import json, sys
import producers.cli
import worker.cli
for program, *arguments in json.loads(sys.argv[1]):
    app = worker.cli.app if program == "worker" else producers.cli.app
    app(arguments, standalone_mode=False)
"""
COMMANDS = {
    ("worker", "queue"): [f"worker {SHOWN}: ready, ", f"not ready: {SHOWN}, ", f"function '{SHOWN}'"],
    ("worker", "queue", "--json"): [f'"worker": {json.dumps(HOSTILE)}'],
    ("worker", "check"): [f"1 ready: {SHOWN}\n"],
    ("worker", "dead", "list"): [f"{SHOWN}  {SHOWN}  1      {SHOWN}  {SHOWN}"],
    ("worker", "dead", "show", HOSTILE, "--payload"): [r": error \x1b[31mred", f"payload:\n{SHOWN}\n"],
    ("worker", "dead", "show", HOSTILE, "--json"): [r'"message": "error \u001b[31m'],
    ("worker", "dead", "list", "--json"): [f'"job_id": {json.dumps(HOSTILE)}'],
    ("worker", "dead", "export"): [r'"message":"error \u001b[31m'],
    ("worker", "jobs", "explain", HOSTILE): [r"job     \x1b[31mred\x1b[0m[bold]x[/bold]\n2026"],
    ("worker", "jobs", "explain", HOSTILE, "--json"): [f"after 1 try: {json.dumps(HOSTILE)[1:-1]} ("],
    ("worker", "jobs", "show", HOSTILE): [r"dead reason    \x1b[31mred\x1b[0m[bold]"],
    ("producers", "status", HOSTILE): [f" {SHOWN}: error {SHOWN} "],
    ("producers", "status", HOSTILE, "--json"): [r'"job_id": "\u001b[31m'],
}


async def test_no_command_prints_terminal_control_codes(site: Site) -> None:
    beating = asyncio.create_task(_beat(site, await _write_hostile(site)))
    try:
        shown = await _on_terminal(site, "-c", RUN_ALL, json.dumps(list(COMMANDS)))
    finally:
        beating.cancel()
    missing = {command: text for command, texts in COMMANDS.items() for text in texts if text not in shown}
    assert missing == {}, shown
    assert not set("\x1b\x07\x9b") & set(shown)
    assert not any(line.startswith("2026") for line in shown.splitlines())


async def _beat(site: Site, heartbeats: list[Heartbeat]) -> None:
    """Keep workers alive: the commands may take longer than a heartbeat counts."""
    while True:
        now = await redis_time(site.redis)
        for heartbeat in heartbeats:
            await write_heartbeat(site.redis, heartbeat.model_copy(update={"at": now}))
        await asyncio.sleep(0.05)


async def _write_hostile(site: Site) -> list[Heartbeat]:
    now = await redis_time(site.redis)
    heartbeats = []
    for worker, ready in ((HOSTILE, True), ("other", False)):
        heartbeat = Heartbeat(
            worker=worker, host="h", pid=1, ready=ready, why_not=HOSTILE, queues=[], slots=1, running=0, complete=0,
            retried=0, failed=0, started_at=now, at=now,
        )  # fmt: skip
        await write_heartbeat(site.redis, heartbeat)
        heartbeats.append(heartbeat)
    now_ms = int(now.timestamp() * 1000)
    await site.redis.zadd(keys.UNKNOWN, {HOSTILE: now_ms})
    dead_letter = DeadLetter(
        job_id=HOSTILE,
        function=HOSTILE,
        queue=DEFAULT_QUEUE,
        payload=payload_text(HOSTILE.encode()),
        reason=HOSTILE,
        failure=Failure(type=HOSTILE, message=f"error {HOSTILE}", tries=1, at_ms=now_ms),
        crashes=0,
        worker=HOSTILE,
    )
    await store_dead_letter(site.redis, dead_letter, now_ms)
    return heartbeats


async def _on_terminal(site: Site, *command: str) -> str:
    """Run Python on a terminal without colours, and return the terminal's output."""
    terminal, program_side = os.openpty()
    plain = {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "1000", "PYTHONPATH": str(Path.cwd())}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        env=os.environ | site.environment | plain,
        stdout=program_side,
        stderr=program_side,
    )
    os.close(program_side)
    reading = asyncio.create_task(asyncio.to_thread(_read_all, terminal))
    await asyncio.wait_for(process.wait(), 60)
    # Headings are bold.
    return re.sub(r"\x1b\[[01]m", "", (await reading).decode()).replace("\r\n", "\n")


def _read_all(terminal: int) -> bytes:
    sent: Any = b""
    with os.fdopen(terminal, "rb", buffering=0) as file:
        while True:
            try:
                sent += file.read(65_536)
            except OSError:
                # Linux raises this when the other side was closed.
                return bytes(sent)
