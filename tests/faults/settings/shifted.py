"""The worker of `faulty` with a wrong clock: `CLOCK_SHIFT` seconds ahead, or behind if negative."""

import os

from tests.faults.injectors.clocks import shift_clocks
from tests.faults.settings.faulty import WorkerSettings

__all__ = ["WorkerSettings"]

# Everything that looks at the clock has been imported by now, arq's command line itself among it.
shift_clocks(float(os.environ["CLOCK_SHIFT"]), ("arq", "worker"))
