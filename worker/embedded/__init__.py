"""A private Redis and a private MongoDB as child processes, for the demo, the tests and the benchmarks.

A server that this package did not start is never touched: every server has its own folder and its own
loopback port, and the process that answers on the port is compared with the child process before
anything is written to it.
"""

from worker.embedded.errors import EmbeddedServerError, PortTakenError
from worker.embedded.mongo_member import MongoMember
from worker.embedded.mongo_server import EmbeddedMongo
from worker.embedded.redis_server import EmbeddedRedis
from worker.embedded.servers import EmbeddedServers

__all__ = [
    "EmbeddedMongo",
    "EmbeddedRedis",
    "EmbeddedServerError",
    "EmbeddedServers",
    "MongoMember",
    "PortTakenError",
]
