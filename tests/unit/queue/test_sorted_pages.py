"""Pages of a sorted set that changes while they are read; that they cost little is shown where they are used."""

from typing import Any

import pytest

from worker.queue.sorted_pages import Entry, read_entries

COUNT = 10
JOBS = [b"job%04d" % number for number in range(500)]


async def members(redis: Any, cursor: str, *, newest_first: bool) -> list[bytes]:
    return [entry.member for entry in await read_entries(redis, "set", cursor, COUNT, newest_first=newest_first)]


def before_the_page_is_read(redis: Any, monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let the set change when the place of a cursor was asked for."""
    for name in ("zrank", "zrevrank"):
        ask = getattr(redis, name)

        async def asked(*given: Any, ask: Any = ask) -> Any:
            answer = await ask(*given)
            await change()
            return answer

        monkeypatch.setattr(redis, name, asked)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_follow_each_other_to_the_end(redis: Any, newest_first: bool) -> None:
    await redis.zadd("set", {job: number // 7 for number, job in enumerate(JOBS)})
    cursor, read = "", []
    while page := await read_entries(redis, "set", cursor, COUNT, newest_first=newest_first):
        read += [entry.member for entry in page]
        cursor = page[-1].cursor()
    assert read == (JOBS[::-1] if newest_first else JOBS)


@pytest.mark.parametrize("leave", [1, 20, 400])
async def test_jobs_that_leave_meanwhile_let_none_be_left_out(
    redis: Any, monkeypatch: pytest.MonkeyPatch, leave: int
) -> None:
    await redis.zadd("set", {job: number for number, job in enumerate(JOBS)})
    before_the_page_is_read(redis, monkeypatch, lambda: redis.zremrangebyrank("set", 0, leave - 1))
    cursor = Entry(JOBS[450], 450.0).cursor()
    page = await members(redis, cursor, newest_first=False)
    # After many it begins with its own entry again.
    assert page == (JOBS[451:461] if leave < 200 else JOBS[450:460])


async def test_newer_entries_that_come_meanwhile_let_none_be_repeated(
    redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.zadd("set", {job: number for number, job in enumerate(JOBS)})
    before_the_page_is_read(redis, monkeypatch, lambda: redis.zadd("set", {b"new%d" % n: 1_000 for n in range(30)}))
    page = await members(redis, Entry(JOBS[450], 450.0).cursor(), newest_first=True)
    assert page == JOBS[440:450][::-1]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_page_begins_with_the_score_of_an_entry_that_has_gone(redis: Any, newest_first: bool) -> None:
    await redis.zadd("set", {job: number // 5 for number, job in enumerate(JOBS)})
    cursor = Entry(JOBS[13], 2.0).cursor()
    await redis.zrem("set", JOBS[13])
    expected = [JOBS[14], JOBS[12], JOBS[11], JOBS[10], *JOBS[9:3:-1]]
    if not newest_first:
        expected = [JOBS[10], JOBS[11], JOBS[12], JOBS[14], *JOBS[15:21]]
    assert await members(redis, cursor, newest_first=newest_first) == expected


@pytest.mark.parametrize("cursor", ["", "x", "nan:61", "1.0:zz"])
async def test_what_is_no_cursor_begins_with_the_first_entry(redis: Any, cursor: str) -> None:
    await redis.zadd("set", {job: number for number, job in enumerate(JOBS[:20])})
    assert await members(redis, cursor, newest_first=False) == JOBS[:10]
