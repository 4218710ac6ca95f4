"""Dead letters that a test of the page plants, and what it does with many of them."""

import html
import re

import httpx

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import post
from tests.integration.monitoring.dashboard.test_acts import recorded
from tests.support.waiting import until
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure
from worker.queue.dead_operations import DeadOperations, Operation

SLOWEST, SLOW, FAST = "0.01", "1", "1000000"


async def plant(planted: Planted, count: int, function: str = "ingest_hospital", error: str = "E") -> None:
    async with planted.redis.pipeline(transaction=False) as pipe:
        for number in range(count):
            letter = DeadLetter(
                job_id=f"{function}:{number:03}", function=function, queue=DEFAULT_QUEUE, crashes=0, worker="w",
                failure=Failure(type=error, message="a patient", tries=1, at_ms=1), payload_bytes=2, reason="r",
            )  # fmt: skip
            pipe.hset(keys.DEAD, letter.job_id, letter.stored())
            pipe.zadd(keys.DEAD_INDEX, {letter.job_id: number + 1})
            pipe.set(keys.DEAD_PAYLOAD + letter.job_id, b"{}")
        await pipe.execute()


def fields_of(shown: str) -> dict[str, str]:
    """Return the fields of the form that confirms."""
    form = shown.partition('action="/dead/bulk"')[2].partition("</form>")[0]
    pairs = re.findall(r'<input [^>]*name="(\w+)"[^>]*?value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in pairs if name != "csrf"}


async def previewed(browser: httpx.AsyncClient, act: str, **filters: str) -> str:
    return (await browser.get("/dead/bulk", params={"act": act, **filters})).text


async def begin(browser: httpx.AsyncClient, act: str, rate: str, **more: str) -> str:
    """Preview and confirm; return the id of the operation."""
    answer = await post(browser, "/dead/bulk", **{**fields_of(await previewed(browser, act)), "rate": rate, **more})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("id=")[2]


async def operation(planted: Planted, operation_id: str) -> Operation:
    return await DeadOperations(planted.redis).get(operation_id)


async def ended(planted: Planted, operation_id: str, state: str = "finished") -> Operation:
    async def is_so() -> bool:
        return (await operation(planted, operation_id)).state == state

    await until(is_so)
    return await operation(planted, operation_id)


async def fewer_than(planted: Planted, count: int) -> bool:
    return int(await planted.redis.hlen(keys.DEAD)) < count


async def has_result(planted: Planted, result: str) -> bool:
    return result in [action.result for action in await recorded(planted)]
