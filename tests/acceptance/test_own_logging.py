"""The logs of a user's own settings class, as the command `arq` writes them."""

import json
import re
from typing import Any

from tests.acceptance.conftest import Finished, Site

QUIET, LOUD = "logged_settings.WorkerSettings", "logged_settings.LoudSettings"
JSON = ("--custom-log-dict", "logged_settings.LOGGING")


async def burst(site: Site, settings: str, *options: str) -> Finished:
    """Run one job that succeeds and one that fails."""
    await site.put("fine", "its argument", job_id="fine")
    await site.put("refused", 7, job_id="refused")
    finished = await site.run("arq", "--burst", *options, settings)
    assert finished.code == 0, finished.err
    assert finished.out == ""
    return finished


def json_lines(finished: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in finished.err.splitlines() if line.startswith("{")]


async def test_the_users_own_configuration_of_logging_gets_every_line(site: Site) -> None:
    lines = json_lines(await burst(site, QUIET, *JSON))
    (dead,) = [line for line in lines if line["job_id"]]
    assert (dead["name"], dead["level"], dead["action"]) == ("arq.worker", "ERROR", "job_dead_lettered")
    assert (dead["job_id"], dead["extra"]) == ("refused", {"order": 7})
    assert "error=OrderError" in dead["text"]
    assert "its argument" not in str(lines)


async def test_arqs_own_configuration_of_logging_shows_every_line(site: Site) -> None:
    finished = await burst(site, QUIET)
    (dead,) = [line for line in finished.err.splitlines() if "dead letter" in line]
    assert re.match(r"\d\d:\d\d:\d\d: job is a dead letter now action=job_dead_lettered job_id=refused ", dead)
    assert "→" not in finished.err


async def test_log_results_adds_arqs_lines(site: Site) -> None:
    lines = [line for line in json_lines(await burst(site, LOUD, *JSON)) if line["name"] == "arq.worker"]
    texts = "\n".join(line["text"] for line in lines)
    assert re.search(r"s → fine:fine\('its argument'\)", texts)
    assert "← fine:fine ● 'its argument'" in texts
    (failed,) = [line for line in lines if " ! " in line["text"]]
    assert re.search(r"s ! refused:refused failed, OrderError: no such order$", failed["text"])
    assert (failed["level"], failed["extra"]) == ("ERROR", {"order": 7})
