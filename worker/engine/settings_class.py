"""What `LeaseWorker` adds to the settings class that arq reads, and what it checks of that class."""

import inspect
import math
import pickle  # noqa: TID251 (recognised when a user asks for it; never called here)
from collections.abc import Mapping
from typing import Any

from arq.jobs import Deserializer, Serializer

from worker.codec import Codec
from worker.errors import ConfigurationError


def with_settings_of(base: type, *added: str) -> inspect.Signature:
    """Return the signature of `base` with more settings, each `None` by default."""
    signature = inspect.signature(base)
    extra = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in added]
    return signature.replace(parameters=[*signature.parameters.values(), *extra])


def both_serializers(serializer: Serializer | None, deserializer: Deserializer | None) -> dict[str, Any]:
    """Return both serializers as arq's settings: JSON unless others are given.

    Raises `ConfigurationError` for a serializer whose messages no deserializer would read.
    """
    if serializer is not None and deserializer is None and serializer is not pickle.dumps:
        raise ConfigurationError(
            "job_serializer is set without job_deserializer; set both, or neither for this project's JSON"
        )
    codec = Codec()
    if serializer is None:
        serializer, deserializer = codec.encode, deserializer or codec.decode
    # A user who asks for pickle by name gets arq's other half of it, which None stands for.
    return {"job_serializer": serializer, "job_deserializer": deserializer}


def checked_queues(queues: Any) -> Mapping[str, int]:
    """Return the `queues` of a settings class: each queue with the most jobs of it that may run at once.

    Raises `ConfigurationError` for anything else; arq passes on whatever the class has.
    """
    items = list(queues.items()) if isinstance(queues, Mapping) else []
    if not items or not all(
        isinstance(name, str) and name and type(slots) is int and slots > 0 for name, slots in items
    ):
        raise ConfigurationError(
            'queues must map each queue to the most jobs of it that may run at once, such as {"arq:queue": 300}'
        )
    return dict(queues)


def served_queues(queues: Mapping[str, int] | None, queue_name: str, max_jobs: int) -> dict[str, int]:
    """Return the slots of each queue that a worker serves; without `queues` its `queue_name` may fill all.

    Raises `ConfigurationError` for a `queue_name` that it would not serve.
    """
    served = dict(queues or {queue_name: max_jobs})
    if queue_name not in served:
        # Its cron jobs are enqueued there, and perhaps what arq's own client enqueues: they would never run.
        raise ConfigurationError(
            f"queue_name is {queue_name!r}, which queues does not name: add it there, or leave it out"
        )
    return served


def checked_rate_limits(rate_limits: Any) -> dict[str, float]:
    """Return the `rate_limits` of a settings class: how many jobs of a queue may start in a second.

    Raises `ConfigurationError` for anything else.
    """
    items = list(rate_limits.items()) if isinstance(rate_limits, Mapping) else None
    if items is None or not all(
        isinstance(name, str) and name and type(rate) in (int, float) and 0 < rate < math.inf
        for name, rate in items
    ):
        raise ConfigurationError(
            'rate_limits must map queues to how many of their jobs may start in a second, such as {"arq:queue": 50}'
        )
    return dict(items)
