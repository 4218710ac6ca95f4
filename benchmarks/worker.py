"""Runs one system's worker in this process: `python -m benchmarks.worker SYSTEM JOB`."""

import sys
from typing import cast

from benchmarks.systems import system_named
from benchmarks.systems.base import JobName
from worker.settings import load_settings

if __name__ == "__main__":
    _, _system, _job = sys.argv
    system_named(_system).work(load_settings().redis_url.get_secret_value(), cast(JobName, _job))
