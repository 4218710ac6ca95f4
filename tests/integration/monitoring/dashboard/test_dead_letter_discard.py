"""A dead letter is discarded on the page as it was shown, whatever becomes of its job meanwhile."""

import re
from typing import Any

import pytest

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import Page, plant_dead_letter, post
from worker.monitoring.dashboard.acts import record
from worker.monitoring.dashboard.pages import dead_letters
from worker.queue import keys
from worker.queue.dead_letter_edit import replace_payload
from worker.queue.dead_letter_store import DeadLetterStore

JOB = "ingest_hospital:1"
HISTORY = keys.HISTORY + JOB


@pytest.mark.parametrize("has_time", [True, False])
async def test_a_job_that_dies_anew_while_it_is_discarded_stays(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch, *, has_time: bool
) -> None:
    await plant_dead_letter(planted, JOB, {})
    letter = await DeadLetterStore(planted.redis).get(JOB)
    later = letter.failure.model_copy(update={"at_ms": letter.failure.at_ms + 1})
    anew = letter.model_copy(update={"failure": later}).stored()

    async def record_and_die(*arguments: Any) -> None:
        await record(*arguments)
        await planted.redis.hset(keys.DEAD, JOB, anew)
        await planted.redis.rpush(HISTORY, "a try")

    monkeypatch.setattr(dead_letters, "record", record_and_die)
    fields = {"failed": str(letter.failure.at_ms)} if has_time else {}

    answer = await post(await page.log_in("operator"), "/dead/discard", JOB, **fields)

    assert (answer.status_code, "its job has failed again since" in answer.text) == (409, True)
    assert await planted.redis.hget(keys.DEAD, JOB) == anew
    assert await planted.redis.lrange(HISTORY, 0, -1) == [b"a try"]
    assert await planted.redis.exists(keys.DEAD_PAYLOAD + JOB)


@pytest.mark.parametrize("path", ["discard", "retry"])
async def test_a_dead_letter_that_was_edited_since_it_was_shown_stays(
    planted: Planted, page: Page, path: str
) -> None:
    await plant_dead_letter(planted, JOB, {})
    browser = await page.log_in("operator")
    shown = (await browser.get(f"/dead/{'discard' if path == 'discard' else 'letter'}?id={JOB}")).text
    fields = dict(re.findall(r'name="(failed|digest)" value="([^"]+)"', shown))
    assert fields.keys() == {"failed", "digest"}
    envelope = planted.codec.encode({"f": "ingest_hospital", "a": [{"beds": 2}], "k": {}, "et": 1, "t": None})
    assert await replace_payload(planted.redis, await DeadLetterStore(planted.redis).get(JOB), envelope)

    answer = await post(browser, f"/dead/{path}", JOB, **fields)

    assert (answer.status_code, "Somebody edited this dead letter" in answer.text) == (409, True)
    assert await planted.redis.get(keys.DEAD_PAYLOAD + JOB) == envelope


async def test_a_job_that_is_retried_while_its_dead_letter_is_discarded_runs_and_keeps_its_history(
    planted: Planted, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant_dead_letter(planted, JOB, {})
    store = DeadLetterStore(planted.redis)

    async def record_and_retry(*arguments: Any) -> None:
        await record(*arguments)
        assert await store.retry([await store.get(JOB)]) == 1
        await planted.redis.rpush(HISTORY, "a try")

    monkeypatch.setattr(dead_letters, "record", record_and_retry)
    browser = await page.log_in("operator")

    answer = await post(browser, "/dead/discard", JOB)

    assert "It is no dead letter any more" in (await browser.get(answer.headers["location"])).text
    assert await planted.redis.lrange(HISTORY, 0, -1) == [b"a try"]
    assert (await planted.claim()).job_id == JOB.encode()
