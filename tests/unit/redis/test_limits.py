from collections import deque
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.redis.limits import ValueLimit

DEFAULT = 512 * 1024 * 1024


class Configuration:
    """A Redis that answers CONFIG GET as the test says."""

    def __init__(self, *answers: dict[str, str] | Exception) -> None:
        self._answers = deque(answers)

    async def config_get(self, name: str) -> dict[str, str]:
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


BULK = {"proto-max-bulk-len": "1048576"}
BUFFER = {"client-query-buffer-limit": "1073741824"}


@pytest.mark.parametrize(
    ("answers", "is_there", "limit"),
    [
        ([BULK, BUFFER], True, 1_048_576),
        ([BULK, {"client-query-buffer-limit": "1048576"}], True, 524_288),
        ([{}, {}], True, DEFAULT),
        ([RedisConnectionError("closed"), BULK, BUFFER], True, 1_048_576),
        ([RedisConnectionError("gone"), RedisConnectionError("gone")], False, DEFAULT),
        ([RedisTimeoutError("frozen")], False, DEFAULT),
        ([NoPermissionError("NOPERM")], True, DEFAULT),
    ],
    ids=["lowered", "lowered buffer", "not told", "stale connection", "gone", "frozen", "forbidden"],
)
async def test_the_limit_is_what_redis_says_if_it_says_it(answers: list[Any], is_there: bool, limit: int) -> None:
    redis: Any = Configuration(*answers)
    found = ValueLimit(redis)

    assert await found.read() == is_there
    assert found.bytes == limit


class Memory:
    """A Redis that answers INFO as the test says."""

    def __init__(self, answer: dict[str, int] | Exception) -> None:
        self._answer = answer

    async def info(self, section: str) -> dict[str, int]:
        assert section == "memory"
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        ({"maxmemory": 100_000_000}, 50_000_000),
        # Values of that size count as acceptable everywhere.
        ({"maxmemory": 100_000}, 512 * 1024),
        ({"maxmemory": 0}, DEFAULT),
        ({}, DEFAULT),
        (NoPermissionError("NOPERM"), DEFAULT),
        (RedisConnectionError("gone"), DEFAULT),
    ],
    ids=["limited", "small", "unlimited", "not told", "forbidden", "gone"],
)
async def test_a_value_of_more_than_half_of_the_memory_never_fits(
    answer: dict[str, int] | Exception, limit: int
) -> None:
    redis: Any = Memory(answer)
    assert await ValueLimit(redis).read_memory() == limit
