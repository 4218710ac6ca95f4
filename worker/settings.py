"""All configuration, read from environment variables, validated once, in one place.

The README's table of settings is generated from the descriptions here (`hospital-worker settings`).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.contract import QUEUES
from worker.errors import ConfigurationError
from worker.redis_url import split_sentinel_url

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")
_MONGODB_SCHEMES = ("mongodb://", "mongodb+srv://")
_LEAST_SECRET_LENGTH = 16

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """The configuration of a worker or a producer. Create it with `load_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis: `redis://`, `rediss://` (TLS), `unix://`, or `redis+sentinel://`, `rediss+sentinel://`",
    )
    redis_timeout: Seconds = Field(5, description="seconds until a Redis command or connection attempt fails")
    redis_pool_size: int = Field(
        20,
        ge=2,
        le=10_000,
        description="connections to Redis; if all are in use, callers wait for a free one",
    )
    mongodb_url: SecretStr = Field(
        SecretStr("mongodb://127.0.0.1:27017/?replicaSet=rs0"),
        description="MongoDB, a replica set or a sharded cluster",
    )
    mongodb_database: str = Field(
        "Hospital_Optics",
        pattern=r"^[A-Za-z0-9_-]{1,63}$",
        description="the database of the registry",
    )
    mongodb_driver: Literal["motor", "pymongo"] = Field(
        "motor",
        description="`motor`, or `pymongo` for PyMongo's own asynchronous client",
    )
    mongodb_pool_size: int = Field(
        100,
        ge=1,
        le=10_000,
        description="connections to each MongoDB server, shared by all jobs",
    )
    mongodb_timeout: Seconds = Field(20, description="seconds until one MongoDB command fails")
    mongodb_selection_timeout: Seconds = Field(
        10,
        description="seconds to wait for a usable MongoDB server, or for a free connection",
    )
    worker_queues: Annotated[tuple[str, ...], NoDecode] = Field(
        QUEUES,
        description="queues to serve, in order of precedence, separated by commas",
    )
    worker_max_jobs: int = Field(300, ge=1, le=50_000, description="jobs that one worker runs at the same time")
    worker_job_timeout: Seconds = Field(60, description="seconds that one try of a job may take")
    worker_max_tries: int = Field(
        8,
        ge=1,
        le=1_000,
        description="tries of a job that fails with transient errors; outages and deploys do not count as tries",
    )
    worker_lease: Annotated[float, Field(ge=1, le=3_600)] = Field(
        10, description="seconds after which another worker takes over a dead worker's jobs"
    )
    worker_grace_period: Annotated[float, Field(ge=0, le=3_600)] = Field(
        25, description="seconds that running jobs have to finish after SIGTERM"
    )
    worker_keep_result: Seconds = Field(3_600, description="seconds that an outcome is kept")
    worker_poll_delay: Annotated[float, Field(ge=0.01, le=60)] = Field(
        0.5,
        description="seconds between polls of the queue when no wake-up arrives",
    )
    queue_signing_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(
        {},
        description="`ID:SECRET` pairs separated by commas; the first signs, all verify; empty: unsigned",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="the lowest level that is logged"
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console`, or `json` for one object per line"
    )

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(_REDIS_SCHEMES):
            raise ValueError(f"expected a URL that begins with {', '.join(_REDIS_SCHEMES)}")
        if split_sentinel_url(url.get_secret_value()):
            return url
        try:
            _ = urlsplit(url.get_secret_value()).port
        except ValueError:
            # The parser's own message quotes the invalid port, which is often part of the password.
            raise ValueError("not a valid URL; write /, @, : and # in a password as %2F, %40, %3A, %23") from None
        parts = urlsplit(url.get_secret_value())
        # redis-py uses database 0 if the path is not a number.
        if parts.scheme != "unix" and not parts.path.removeprefix("/").isdigit() and parts.path not in ("", "/"):
            raise ValueError("expected the database number after the port, such as /0")
        return url

    @field_validator("mongodb_url")
    @classmethod
    def _mongodb_scheme(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(_MONGODB_SCHEMES):
            raise ValueError(f"expected a URL that begins with {' or '.join(_MONGODB_SCHEMES)}")
        return url

    @field_validator("mongodb_database")
    @classmethod
    def _not_a_system_database(cls, name: str) -> str:
        if name in ("admin", "config", "local"):
            raise ValueError("is a system database of MongoDB; choose another name")
        return name

    @field_validator("worker_queues", mode="before")
    @classmethod
    def _split_queues(cls, value: object) -> object:
        return tuple(queue.strip() for queue in value.split(",")) if isinstance(value, str) else value

    @field_validator("worker_queues")
    @classmethod
    def _distinct_queues(cls, queues: tuple[str, ...]) -> tuple[str, ...]:
        if not queues or not all(queues) or len(set(queues)) != len(queues):
            raise ValueError("expected different queue names separated by commas")
        return queues

    @field_validator("queue_signing_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        keys: dict[str, str] = {}
        for pair in value.split(","):
            key_id, separator, secret = pair.strip().partition(":")
            if (
                not separator
                or not (key_id.isascii() and key_id.isalnum())
                or key_id in keys
                or len(secret) < _LEAST_SECRET_LENGTH
            ):
                raise ValueError(
                    "expected different ID:SECRET pairs separated by commas, each ID letters and digits, "
                    f"each SECRET {_LEAST_SECRET_LENGTH} characters or more"
                )
            keys[key_id] = secret
        return keys

    @model_validator(mode="after")
    def _lease_outlives_redis_timeout(self) -> Self:
        # If a renewal hangs for a whole timeout, there must be time for another one before the lease expires.
        if self.redis_timeout * 2 > self.worker_lease:
            raise ValueError(
                "REDIS_TIMEOUT must be at most half of WORKER_LEASE, or one slow command loses the lease"
            )
        return self

    def signing_secrets(self) -> dict[str, str]:
        """Return the signing keys in plain text, for the codec only."""
        return {key_id: secret.get_secret_value() for key_id, secret in self.queue_signing_keys.items()}


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the process's environment; `overrides` (by field name) take precedence.

    Raises `ConfigurationError` with one line per invalid variable. It names the variable and never its value.
    """
    try:
        return Settings.model_validate(overrides)
    except ValidationError as error:
        lines = []
        for details in error.errors(include_input=False, include_url=False, include_context=False):
            variable = str(details["loc"][0]).upper() if details["loc"] else ""
            reason = details["msg"].removeprefix("Value error, ")
            lines.append(f"{variable}: {reason}" if variable else reason)
        raise ConfigurationError("\n".join(lines)) from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like a worker's settings but are not, such as misspelled ones."""
    return sorted(
        name for name in environment if name.startswith("WORKER_") and name.lower() not in Settings.model_fields
    )


def settings_table() -> str:
    """Return the settings as a Markdown table: variable, default and meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        elif isinstance(default, tuple):
            default = ",".join(default)
        rows.append(f"| `{name.upper()}` | {f'`{default}`' if default else 'none'} | {field.description} |")
    return "\n".join(rows) + "\n"
