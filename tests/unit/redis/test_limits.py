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
