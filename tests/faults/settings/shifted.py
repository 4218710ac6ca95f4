"""The worker of `faulty` with a wrong clock: `CLOCK_SHIFT` seconds ahead, or behind if negative."""

import os

from tests.faults.injectors.clocks import shift_clocks
from tests.faults.settings.faulty import WorkerSettings

__all__ = ["WorkerSettings"]

# All modules that read the clock have been imported by now, including arq's command line.
shift_clocks(float(os.environ["CLOCK_SHIFT"]), ("arq", "worker"))
