"""The commands of docs/gateway.md run as they are printed, one after the other."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import Gateway, key_of

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "gateway.md").read_text("utf-8")
_SERVER = "http://127.0.0.1:8800"


def commands() -> list[str]:
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    return re.findall(r"^curl (.*)$", blocks.replace("\\\n", ""), re.MULTILINE)


async def run(command: str, site: Site) -> str:
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", command),
        cwd=site.folder,
        env={**os.environ, "KEY": key_of("boss")},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_every_command_does_what_it_is_for(site: Site, gateway: Gateway) -> None:
    await site.worker()
    (site.folder / "list.csv").write_text("Code,Hospital Name\n1,Mercy\n")

    answers = [await run(f"curl --fail {it.replace(_SERVER, gateway.url)}", site) for it in commands()]

    receipt, outcome, life, hospital, found, begun = answers
    example = re.search(r"^```json\n(\{\n  \"job_id\".*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert example
    assert json.loads(receipt) == json.loads(example[1])
    assert json.loads(outcome)["outcome"]["status"] == "registered"
    assert "event: outcome" in life
    assert json.loads(hospital)["hospital_name"] == "Sunrise Clinic"
    # It has no city.
    assert json.loads(found) == {"hospitals": [], "next": None}
    assert json.loads(begun)["file"]["name"] == "list.csv"
