"""`hospital-worker queue --watch`, until Ctrl-C."""

import asyncio
import functools
import json
import os
import re
import signal
import sys
from pathlib import Path

from tests.acceptance.conftest import Site
from worker.supervisor import exit_with_parent

WATCH = (sys.executable, "-m", "worker", "queue", "--watch", "--interval", "0.1")


async def _start(site: Site, *options: str, output: int) -> asyncio.subprocess.Process:
    plain = {"PYTHONPATH": str(Path.cwd()), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    return await asyncio.create_subprocess_exec(
        *(*WATCH, *options),
        env={**os.environ, **site.environment, **plain},
        stdout=output,
        stderr=asyncio.subprocess.PIPE if output == asyncio.subprocess.PIPE else output,
        preexec_fn=functools.partial(exit_with_parent, os.getpid()),
    )


async def test_without_a_terminal_each_look_is_a_line(site: Site) -> None:
    process = await _start(site, output=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    first = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ arq:queue: 0 waiting, 0 deferred, 0 in flight, ", first)
    assert first.endswith("dead letters: 0; workers: 0 of 0 ready\n")
    await site.put("ingest_hospital", {}, job_id="waits")
    async with asyncio.timeout(60):
        while "arq:queue: 1 waiting" not in (await process.stdout.readline()).decode():
            pass
    process.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, errors) == (0, b"")


async def test_json_is_one_object_on_each_line(site: Site) -> None:
    process = await _start(site, "--json", output=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    found = [json.loads(await asyncio.wait_for(process.stdout.readline(), 60)) for _ in range(2)]
    assert all(it["queues"]["arq:queue"]["waiting"] == 0 and it["at"] for it in found)
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, errors) == (0, b"")


async def test_on_a_terminal_it_is_shown_in_place_and_ends_cleanly(site: Site) -> None:
    await site.worker()
    terminal, program_side = os.openpty()
    process = await _start(site, output=program_side)
    os.close(program_side)
    shown = ""
    async with asyncio.timeout(60):
        # Three bars: it has looked three times.
        while "▁▁▁" not in shown:
            shown += (await asyncio.to_thread(os.read, terminal, 65_536)).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    rest = await asyncio.to_thread(_read_all, terminal)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    last = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "\n", shown + rest).rpartition("Ctrl-C ends")[2]
    assert {"dead letters: 0", "jobs ended per second: 0.0"} <= {line.strip(" ▁\r") for line in last.splitlines()}
    assert re.search(r"^arq:queue +0 +0 +0 +0\.0 s +▁▁▁+ *\r?$", last, re.MULTILINE)
    assert ": ready, 0 of 300 slots busy" in last
    assert "Traceback" not in shown + rest
    # The cursor is hidden meanwhile.
    assert (shown + rest).rfind("\x1b[?25h") > (shown + rest).rfind("\x1b[?25l")


def _read_all(terminal: int) -> str:
    sent = b""
    with os.fdopen(terminal, "rb", buffering=0) as file:
        while True:
            try:
                sent += file.read(65_536)
            except OSError:
                # Linux raises this when the other side was closed.
                return sent.decode(errors="replace")


async def test_an_interval_needs_watch(site: Site) -> None:
    done = await site.command("queue", "--interval", "1")
    assert (done.code, done.err) == (2, "hospital-worker: --interval needs --watch\n")
