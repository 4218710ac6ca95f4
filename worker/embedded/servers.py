"""A private Redis and a private MongoDB together, for the demo, the tests and the benchmarks."""

from pathlib import Path
from typing import Literal

from worker.embedded.lifetime import StartedInWith
from worker.embedded.mongo_server import EmbeddedMongo
from worker.embedded.processes import together
from worker.embedded.redis_server import EmbeddedRedis


class EmbeddedServers(StartedInWith):
    """A private Redis and a private MongoDB; `data_dir` keeps the data of both for a later run."""

    def __init__(
        self, *, data_dir: Path | None = None, members: Literal[1, 3] = 1, test_commands: bool = False
    ) -> None:
        self.redis = EmbeddedRedis(data_dir=data_dir)
        self.mongo = EmbeddedMongo(data_dir=data_dir, members=members, test_commands=test_commands)

    def environment(self) -> dict[str, str]:
        """The environment variables that connect a worker or a producer to these servers."""
        return {"REDIS_URL": self.redis.url, "MONGODB_URL": self.mongo.url}

    async def start(self) -> None:
        """Start both and wait until they answer. Raises EmbeddedServerError."""
        await together(self.redis.start(), self.mongo.start())

    async def stop(self) -> None:
        """Stop both cleanly and remove their data if it is temporary."""
        await together(self.redis.stop(), self.mongo.stop())
