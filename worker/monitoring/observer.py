"""Everything that watches one worker from outside the engine: metrics, rates, throughput, event-loop delay."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from worker.contract.outbox import OutboxSize
from worker.hidden_task import hidden
from worker.monitoring import outbox_facts, process_files, rate_writer, throughput
from worker.monitoring.loop_delay import LoopDelay
from worker.monitoring.metrics import WorkerMetrics
from worker.monitoring.metrics_server import MetricsServer
from worker.monitoring.outbox_facts import OutboxFacts
from worker.monitoring.process_files import ProcessFile
from worker.monitoring.queue_facts import QueueFacts
from worker.monitoring.rate_writer import RateWriter
from worker.monitoring.samples import Samples
from worker.monitoring.tallies import Tallies
from worker.monitoring.throughput import ThroughputLog
from worker.queue.heartbeats import Heartbeat
from worker.settings import Settings

# The worker must end although Redis does not answer.
_LAST_WRITE_S = 1.0


class WorkerObserver:
    """Watches a worker with these functions from `start` to `stop`.

    `queue_slots`, `rate_limits` and `heartbeat` are those of `WorkerMetrics`. `metrics` has the listeners to the
    worker's events, `tallies` that to its jobs.
    """

    def __init__(
        self,
        settings: Settings,
        functions: Collection[str],
        queue_slots: Mapping[str, int],
        rate_limits: Mapping[str, float],
        heartbeat: Callable[[], Heartbeat | None],
    ) -> None:
        self._settings = settings
        self.tallies = Tallies(functions)
        self.metrics = WorkerMetrics(self.tallies, queue_slots, rate_limits, heartbeat)
        self._delay = LoopDelay()
        self._tasks: list[asyncio.Task[None]] = []
        self._server: MetricsServer | None = None
        self._rates: RateWriter | None = None
        self._outbox: OutboxFacts | None = None
        folder = os.environ.get(process_files.FOLDER_VARIABLE)
        self._file = ProcessFile(Path(folder)) if folder else None

    def heartbeat_facts(self) -> dict[str, Any]:
        """Return the fields of a heartbeat that the engine does not know."""
        delay_s = self._delay.take()
        self.metrics.note_delay(delay_s)
        return {"loop_delay_s": round(delay_s, 4)}

    async def start(
        self, redis: "Redis[bytes]", queues: Sequence[str], read_outbox: Callable[[], Awaitable[OutboxSize]]
    ) -> str:
        """Begin; returns where the metrics are served, empty if nowhere.

        Raises `ConfigurationError` if they cannot be served there.
        """
        self._rates = rates = RateWriter(redis, self.tallies)
        log = ThroughputLog(self.tallies)
        settings = self._settings
        if settings.worker_metrics_port is not None or self._file is not None:
            self._outbox = OutboxFacts(read_outbox)
            await self._outbox.look()
        if settings.worker_metrics_port is not None and self._file is None:
            facts = QueueFacts(redis, queues)

            async def collect() -> Samples:
                samples = self._samples()
                await facts.add_to(samples)
                return samples

            server = MetricsServer(collect)
            self._server = await server.start(settings.worker_metrics_host, settings.worker_metrics_port)
        loops: dict[str, Coroutine[Any, Any, None]] = {
            "loop-delay": self._delay.run(),
            "rates": _every(rate_writer.WRITE_EVERY_S, lambda _: rates.write()),
            "throughput-log": _every(throughput.LOG_EVERY_S, _step(log.log)),
            "metrics-file": _every(process_files.WRITE_EVERY_S, _step(lambda _: self._write_file())),
        }
        if (outbox := self._outbox) is not None:
            loops["outbox-facts"] = _every(outbox_facts.READ_EVERY_S, lambda _: outbox.look())
        self._tasks = [hidden(asyncio.create_task(loop, name=name)) for name, loop in loops.items()]
        return self._server.address if self._server is not None else ""

    async def stop(self) -> None:
        """End, and write once more what has ended since."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._write_file()
        if self._server is not None:
            await self._server.close()
        if self._rates is not None:
            try:
                async with asyncio.timeout(_LAST_WRITE_S):
                    await self._rates.write()
            except TimeoutError:
                pass

    def _write_file(self) -> None:
        if self._file is not None:
            self._file.write(self._samples())

    def _samples(self) -> Samples:
        samples = self.metrics.samples()
        if self._outbox is not None:
            self._outbox.add_to(samples)
        return samples


def _step(act: Callable[[float], None]) -> Callable[[float], Coroutine[Any, Any, None]]:
    async def step(seconds: float) -> None:
        act(seconds)

    return step


async def _every(seconds: float, step: Callable[[float], Coroutine[Any, Any, None]]) -> None:
    """Take a step over and over; it is given the seconds since the one before."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(seconds)
        now = time.monotonic()
        await step(now - last)
        last = now
