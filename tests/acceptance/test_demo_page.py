import asyncio
import re
import signal
import sys
from pathlib import Path

import httpx

ANSWERS_WITHIN_S = 90


async def test_the_demo_leaves_its_page_running_until_ctrl_c(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Name,City\n" + "".join(f"Hospital {number},Paris\n" for number in range(150)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "demo", "--keep", "--file", str(file), "--source", "mine"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        shown = (await asyncio.wait_for(process.stdout.readuntil(b"Ctrl-C ends it"), ANSWERS_WITHIN_S)).decode()
        page = re.search(r"The page: (http\S+)  name: (\S+)  password: (\S+)", shown)
        assert page
        async with httpx.AsyncClient(base_url=page[1]) as browser:
            token = re.search(r'name="csrf" value="([^"]+)"', (await browser.get("/login")).text)
            assert token
            form = {"name": page[2], "password": page[3], "csrf": token[1]}
            assert (await browser.post("/login", data=form)).status_code == 303
            assert "arq:queue:bulk" in (await browser.get("/queues")).text
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert (process.returncode, err) == (0, b"")
    assert "Logs and rejects are in" in out.decode()
