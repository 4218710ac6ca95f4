"""The names of the keys in Redis: arq's own, which other tools read, and what this engine adds to them."""

from arq.constants import (
    abort_jobs_ss,
    health_check_key_suffix,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)

JOB = job_key_prefix
IN_PROGRESS = in_progress_key_prefix
RESULT = result_key_prefix
TRIES = retry_key_prefix
ABORT = abort_jobs_ss
HEALTH_CHECK_SUFFIX = health_check_key_suffix

LEASES = "arq:leases"
"""Hash: job id → token of its present or last owner, until the job has left that owner's hands."""
CRASHES = "arq:crashes"
"""Hash: job id → how often an owner died with it."""
CLOCK = "arq:clock"
"""Hash: when a worker was last heard (`seen`), and when Redis last came back from a silence (`resumed`)."""
DEAD = "arq:dead"
"""Hash: job id → dead letter, as JSON."""
DEAD_INDEX = "arq:dead:index"
"""Sorted set: job id → when it became a dead letter, in milliseconds."""
WORKERS = "arq:workers"
"""Hash: worker id → its last heartbeat, as JSON."""
UNKNOWN = "arq:unknown-functions"
"""Sorted set: name of a function that no worker knew → when that was last met, in milliseconds; the latest 100."""
LEASED_SUFFIX = ":leased"
"""Sorted set beside each queue: claimed job id → end of its lease, in milliseconds."""
WAKEUP_SUFFIX = ":wakeup"
"""List beside each queue: holds one element while there may be work that nobody was told of."""
HISTORY = "arq:history:"
"""List per job: how its earlier tries ended, as JSON, oldest first."""
CRON_SUFFIX = ":cron"
"""Hash beside each queue: cron job → the planned time of its last run, in milliseconds."""
