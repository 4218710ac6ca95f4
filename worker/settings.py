"""All configuration, read from environment variables, validated once, in one place.

How the text of a variable is read is in `worker.setting_values`. `worker.settings_table` makes the table in
docs/configuration.md from the descriptions here.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.contract import QUEUES
from worker.errors import ConfigurationError
from worker.setting_values import (
    Bounds,
    MongodbUrl,
    Rates,
    RedisUrl,
    Seconds,
    ServedQueues,
    SigningKeys,
    SourceQueues,
)

# Variables of earlier versions. Ignoring one would start a worker that does not do what it was configured for.
_REMOVED = {
    "WORKER_LANES": "is now WORKER_QUEUES: rename the variable",
    "WORKER_ENGINE": "no longer exists, there is one engine: remove the variable",
}
_JOBS_PER_BULK_SLOT = 50
_LEAST_BULK_SLOTS = 4


class Settings(BaseSettings):
    """The configuration of a worker or a producer. Create it with `load_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    redis_url: RedisUrl = Field(
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
    mongodb_url: MongodbUrl = Field(
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
    idempotency_days: int = Field(
        30,
        ge=1,
        le=3_650,
        description="days for which MongoDB keeps at least what a job did; later its key makes a new job",
    )
    worker_queues: ServedQueues = Field(
        dict.fromkeys(QUEUES),
        description="queues to serve, in order of precedence, separated by commas; `NAME=N` lets one worker "
        "run at most N jobs of a queue at once; each queue but the first and `arq:queue:bulk` needs it",
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
    worker_dead_letter_folder: str = Field(
        "",
        description="folder to which the oldest dead letters are moved, as lines of JSON, beyond the three bounds "
        "that follow; empty: all stay in Redis",
    )
    worker_dead_letter_days: float | None = Field(
        None, gt=0, le=36_500, description="days that a dead letter stays in Redis"
    )
    worker_dead_letter_count: int | None = Field(None, ge=0, description="dead letters that stay in Redis")
    worker_dead_letter_bytes: int | None = Field(
        None, ge=0, description="bytes that dead letters and their payloads may take in Redis"
    )
    worker_metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="port on which metrics are served to Prometheus, by each worker process, or by "
        "`hospital-worker run` for all of its own; 0: any free one, which is logged; none: not served",
    )
    worker_metrics_host: str = Field("127.0.0.1", description="address on which metrics are served")
    worker_history_days: int = Field(
        30, ge=0, le=3_650, description="days for which MongoDB keeps how jobs ended; 0: no history is kept"
    )
    worker_history_jobs: int = Field(
        5_000_000, ge=1_000, description="ended jobs that the history keeps at most; beyond, the oldest are removed"
    )
    queue_bounds: Bounds = Field(
        {},
        description="jobs that may wait on a queue before producers are held back: `NAME=N` pairs separated by "
        "commas; a queue that is not named takes any number",
    )
    queue_rates: Rates = Field(
        {},
        description="jobs of a queue that all workers together may start in a second: `NAME=N` pairs separated by "
        "commas, the same for all workers; a queue that is not named has no limit",
    )
    source_queues: SourceQueues = Field(
        {},
        description="sources whose jobs have a queue of their own: `SOURCE=NAME` pairs separated by commas, the "
        "same for producers and workers; these queues and `arq:queue` take turns",
    )
    queue_signing_keys: SigningKeys = Field(
        {},
        description="`ID:SECRET` pairs separated by commas; the first signs, all verify; empty: unsigned",
    )
    queue_tracing: Literal["off", "link", "parent"] = Field(
        "off",
        description="spans for OpenTelemetry: `link` gives each job a trace of its own, linked to the call that "
        "enqueued it; `parent` continues the trace of that call",
    )
    dashboard_users: SecretStr = Field(
        SecretStr(""),
        description="who may log in to `hospital-worker dashboard`: `NAME:ROLE:HASH` separated by commas, each "
        "ROLE `viewer`, `operator` or `auditor`; `hospital-worker dashboard hash-password` prints a HASH",
    )
    dashboard_idle_minutes: int = Field(
        30,
        ge=1,
        le=720,
        description="minutes without a request after which a session of the page ends; an update of a live page is "
        "none; 720: a page on a wall stays for the 12 hours after which every session ends",
    )
    gateway_keys: SecretStr = Field(
        SecretStr(""),
        description="who may use `hospital-producer gateway`: `NAME:SCOPES:HASH` separated by commas, SCOPES of "
        "`read`, `enqueue` and `operate` joined by `+`; `hospital-producer gateway make-key` prints an entry",
    )
    gateway_rate: float = Field(
        1_000,
        ge=1,
        le=1_000_000,
        description="requests per second that one key may make at a gateway process; as many at once",
    )
    gateway_body_bytes: int = Field(
        4_194_304, ge=1_024, le=67_108_864, description="bytes of a request to the gateway, but for uploads"
    )
    gateway_upload_bytes: int = Field(
        536_870_912, ge=1_024, description="bytes of a file that is uploaded to the gateway"
    )
    gateway_request_timeout: Seconds = Field(
        30, description="seconds that the gateway takes for a request at most, but for those it is asked to wait"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="the lowest level that is logged"
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console`, or `json` for one object per line"
    )

    @field_validator("mongodb_database")
    @classmethod
    def _not_a_system_database(cls, name: str) -> str:
        if name in ("admin", "config", "local"):
            raise ValueError("is a system database of MongoDB; choose another name")
        return name

    @model_validator(mode="after")
    def _lease_outlives_redis_timeout(self) -> Self:
        # If a renewal hangs for a whole timeout, there must be time for another one before the lease expires.
        if self.redis_timeout * 2 > self.worker_lease:
            raise ValueError(
                "REDIS_TIMEOUT must be at most half of WORKER_LEASE, or one slow command loses the lease"
            )
        return self

    @model_validator(mode="after")
    def _named_queues_are_known(self) -> Self:
        named = {
            "QUEUE_BOUNDS": self.queue_bounds.keys(),
            "QUEUE_RATES": self.queue_rates.keys(),
            "SOURCE_QUEUES": set(self.source_queues.values()),
        }
        for variable, queues in named.items():
            if queues - {*QUEUES, *self.worker_queues}:
                # A misspelled name would limit nothing, or get jobs that no worker takes, and nobody would notice.
                raise ValueError(
                    f"{variable}: each queue must be {', '.join(QUEUES)} or one that WORKER_QUEUES names"
                )
        return self

    @model_validator(mode="after")
    def _what_is_bounded_goes_somewhere(self) -> Self:
        bounds = self.worker_dead_letter_days, self.worker_dead_letter_count, self.worker_dead_letter_bytes
        if bool(self.worker_dead_letter_folder) != any(bound is not None for bound in bounds):
            raise ValueError(
                "WORKER_DEAD_LETTER_FOLDER needs a bound (WORKER_DEAD_LETTER_DAYS, WORKER_DEAD_LETTER_COUNT or "
                "WORKER_DEAD_LETTER_BYTES), and a bound needs the folder: no dead letter is dropped"
            )
        return self

    def queue_slots(self) -> dict[str, int]:
        """Return the most jobs of each queue that one worker runs at once, in order of precedence.

        The first queue may fill every slot. The bulk queue gets a fiftieth of the slots and at least four: a chunk
        of a file keeps MongoDB busy for tens of milliseconds, a few at a time saturate it, and more of them would
        only delay the single jobs beside them.
        """
        first = next(iter(self.worker_queues))
        bulk = max(_LEAST_BULK_SLOTS, self.worker_max_jobs // _JOBS_PER_BULK_SLOT)
        return {
            name: min(self.worker_max_jobs, slots or (self.worker_max_jobs if name == first else bulk))
            for name, slots in self.worker_queues.items()
        }

    def signing_secrets(self) -> dict[str, str]:
        """Return the signing keys in plain text, for the codec only."""
        return {key_id: secret.get_secret_value() for key_id, secret in self.queue_signing_keys.items()}


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the process's environment; `overrides` (by field name) take precedence.

    Raises `ConfigurationError` with one line per invalid variable. It names the variable and never its value.
    """
    for variable, value in os.environ.items():
        # Settings are read whatever their case.
        if value and variable.upper() in _REMOVED:
            raise ConfigurationError(f"{variable}: {_REMOVED[variable.upper()]}")
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
