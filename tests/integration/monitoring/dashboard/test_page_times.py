import time
from collections.abc import Callable

from tests.integration.monitoring.conftest import Planted
from tests.integration.monitoring.dashboard.conftest import Page
from worker.contract import DEFAULT_QUEUE
from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, Failure

WAITING = 1_000_000
DEAD = 100_000
AT_ONCE = 20_000
LONGEST_S = 0.3
LARGEST_BYTES = 200_000
PATHS = (
    "/",
    "/queues",
    "/queue?name=arq:queue",
    "/jobs?id=job:500000",
    "/dead",
    "/dead?error=NoSuchError",
    "/dead/letter?id=dead:5",
    "/dead/bulk?act=retry",
    "/dead/operations",
    "/workers",
    "/schedules",
)


async def plant(planted: Planted) -> None:
    redis = planted.redis
    for start in range(0, WAITING, AT_ONCE):
        await redis.zadd(DEFAULT_QUEUE, {f"job:{number}": number for number in range(start, start + AT_ONCE)})
    small = Failure(type="ValueError", message="m", tries=1, at_ms=1)
    # The newest ones, which pages read, are as large as they can be.
    large = small.model_copy(update={"message": "m" * 2_000, "traceback": "t" * 8_000})
    for start in range(0, DEAD, AT_ONCE // 10):
        numbers = range(start, start + AT_ONCE // 10)
        await redis.zadd(keys.DEAD_INDEX, {f"dead:{number}": number for number in numbers})
        await redis.hset(
            keys.DEAD,
            mapping={
                f"dead:{number}": DeadLetter(
                    job_id=f"dead:{number}", function="f", queue=DEFAULT_QUEUE, payload_bytes=1, reason="r",
                    failure=large if number > DEAD - 5_000 else small, crashes=0, worker="w",
                ).stored()
                for number in numbers
            },
        )  # fmt: skip


async def test_every_page_is_small_and_quick_however_much_waits(
    planted: Planted, page: Page, record_property: Callable[[str, object], None]
) -> None:
    await plant(planted)
    for number in range(50):
        await planted.heartbeat(f"vm:{number}:a")
    browser = await page.log_in("operator")
    found = {}
    for path in PATHS:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            answer = await browser.get(path)
            times.append(time.perf_counter() - began)
            assert answer.status_code == 200
            assert len(answer.content) < LARGEST_BYTES, path
        found[path] = sorted(times)[2]
    record_property("seconds", found)

    assert {path: seconds for path, seconds in found.items() if seconds > LONGEST_S} == {}
    began = time.perf_counter()
    counted = (await browser.get("/dead/bulk?act=retry&function=f&whole=1")).text
    record_property("seconds to count all dead letters", time.perf_counter() - began)
    assert f"{DEAD:,} dead letters to retry." in counted
