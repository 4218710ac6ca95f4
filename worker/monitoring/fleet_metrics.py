"""One endpoint for the metrics of all processes of a `hospital-worker run`."""

import tempfile
from pathlib import Path

import structlog

from worker.monitoring.metrics_server import MetricsServer
from worker.monitoring.process_files import FOLDER_VARIABLE, ProcessFiles
from worker.monitoring.queue_facts import QueueFacts
from worker.monitoring.samples import Samples
from worker.redis.client import open_redis
from worker.settings import Settings
from worker.supervisor import Supervisor

_log = structlog.stdlib.get_logger(__name__)


async def run_with_metrics(processes: int, settings: Settings, port: int) -> int:
    """Run so many worker processes and serve the sums of their metrics; returns as `Supervisor.run` does.

    Raises `ConfigurationError` if the metrics cannot be served.
    """
    redis = open_redis(settings)
    with tempfile.TemporaryDirectory(prefix="hospital-worker-metrics-") as folder:
        files, facts = ProcessFiles(Path(folder)), QueueFacts(redis, list(settings.worker_queues))

        async def collect() -> Samples:
            samples = files.samples()
            await facts.add_to(samples)
            return samples

        server = await MetricsServer(collect).start(settings.worker_metrics_host, port)
        _log.info("serving metrics", action="metrics_served", address=server.address)
        try:
            return await Supervisor(processes, {FOLDER_VARIABLE: folder}, files.ended).run()
        finally:
            await server.close()
            await redis.aclose(close_connection_pool=True)
