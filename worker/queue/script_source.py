"""The text of each Lua script: the key names and the shared parts, and then the script's own file."""

import functools
from importlib.resources import files

from worker.queue import keys

# The names that every script finds its keys under.
_LUA_NAMES = {
    "JOB": keys.JOB,
    "IN_PROGRESS": keys.IN_PROGRESS,
    "RESULT": keys.RESULT,
    "TRIES": keys.TRIES,
    "HISTORY": keys.HISTORY,
    "CLOCK": keys.CLOCK,
    "DEAD_PAYLOAD": keys.DEAD_PAYLOAD,
    "DIGEST": keys.DIGEST,
    "ENDED": keys.ENDED,
    "ENDED_LEFT_OUT": keys.ENDED_LEFT_OUT,
    "BATCHES": keys.BATCHES,
    "CANCELLED_BATCHES": keys.CANCELLED_BATCHES,
    "PAUSES": keys.PAUSES,
    "BATCH": keys.BATCH,
    "BATCH_JOBS": keys.BATCH_JOBS,
    "BATCH_ORDER": keys.BATCH_ORDER,
    "BATCH_COMPLETION": keys.BATCH_COMPLETION,
    "RATES": keys.RATES,
    "WAITERS": keys.WAITERS,
    "WAITER": keys.WAITER,
    "NOTICES": keys.NOTICES,
    "LEASED_SUFFIX": keys.LEASED_SUFFIX,
    "WAKEUP_SUFFIX": keys.WAKEUP_SUFFIX,
    "RATE_SUFFIX": keys.RATE_SUFFIX,
}


# Shared parts that only these scripts need; they would only cost the others time.
_SHARED = (
    dict.fromkeys(("enqueue", "finish", "batch_create", "batch_close", "batch_next", "batch_settle"), ("batches",))
    | dict.fromkeys(("redrive", "dead_operation"), ("dead",))
    | {"claim": ("rate_limit",)}
)


@functools.cache
def script_source(name: str) -> str:
    """Return the text of a script in `worker/queue/lua`, with the key names and the shared parts before it."""
    folder = files("worker.queue").joinpath("lua")
    names = "".join(f"local {variable} = '{key}'\n" for variable, key in _LUA_NAMES.items())
    names_of_parts = ("prelude", *_SHARED.get(name, ()), name)
    parts = [folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in names_of_parts]
    return names + "".join(parts)
