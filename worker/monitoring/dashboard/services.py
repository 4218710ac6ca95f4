"""What all pages share: the connection to Redis, the users, and who is logged in."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from redis.asyncio import Redis

from worker.codec import Codec
from worker.mongo.client import MongoHandle
from worker.monitoring.answering import answered_by_mongo, answered_by_redis
from worker.monitoring.dashboard.dead_runner import DeadRunner
from worker.monitoring.dashboard.login_limit import LoginLimit
from worker.monitoring.dashboard.sessions import Sessions
from worker.monitoring.dashboard.users import Users
from worker.monitoring.dashboard.watcher import Watcher
from worker.queue.stats import QueueStats, read_stats
from worker.settings import Settings

T = TypeVar("T")

ANSWER_S = 1.5
"""Seconds that a page waits for Redis; then it says that Redis is unavailable."""


@dataclass(frozen=True, slots=True)
class Services:
    """One for each process. `is_secure`: browsers reach the page by https, so cookies are sent over https alone."""

    settings: Settings
    redis: "Redis[bytes]"
    mongo: MongoHandle
    users: Users
    is_secure: bool
    codec: Codec
    watcher: Watcher
    sessions: Sessions
    login_limit: LoginLimit = field(default_factory=LoginLimit)
    dead_runner: DeadRunner = field(default_factory=DeadRunner)

    @classmethod
    def of(cls, settings: Settings, redis: "Redis[bytes]", mongo: MongoHandle, *, is_secure: bool) -> "Services":
        """Return the services of these settings. Raises `ConfigurationError` if nobody may log in."""

        async def look() -> QueueStats:
            return await answered_by_redis(settings, read_stats(redis, tuple(settings.worker_queues)), ANSWER_S)

        users = Users(settings.dashboard_users.get_secret_value())
        codec, sessions = Codec(settings.signing_secrets()), Sessions(settings.dashboard_idle_minutes * 60)
        return cls(settings, redis, mongo, users, is_secure, codec, Watcher(look), sessions)

    @property
    def session_cookie(self) -> str:
        """The name of the cookie; with its prefix browsers accept it over https alone, and for this host alone."""
        return "__Host-hospital-session" if self.is_secure else "hospital-session"

    async def read(self, call: Awaitable[T]) -> T:
        """Return the result of a call to Redis. Raises `OutageError` within two seconds if Redis is gone."""
        return await answered_by_redis(self.settings, call, ANSWER_S)

    async def read_mongo(self, call: Awaitable[T]) -> T:
        """Return the result of a call to MongoDB. Raises `OutageError` within two seconds if MongoDB is gone."""
        return await answered_by_mongo(call, ANSWER_S)
