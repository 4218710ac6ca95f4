"""One Redis that a test writes to as an untrusted user, and workers that use it."""

from typing import Any, cast

from arq.connections import ArqRedis
from arq.worker import func

from tests.security.scanner import CANARY
from worker.codec import Codec
from worker.engine.arq_redis import open_arq_redis
from worker.engine.worker import LeaseWorker
from worker.jobs import JOB_FUNCTIONS
from worker.jobs.context import CONTEXT_KEY, WorkerContext
from worker.mongo.client import Document, MongoHandle
from worker.mongo.registrations import Registrations
from worker.queue import keys
from worker.queue.dead_letter_store import DeadLetterStore
from worker.queue.scripts import Enqueue, Scripts
from worker.settings import Settings, load_settings

QUEUE = "arq:queue"
OLD, NEW = {"old": f"{CANARY}-of-last-year"}, {"new": f"{CANARY}-of-this-year"}
RECORD = {"hospital_name": "Mercy", "source": "cms", "external_id": "1", "phone": CANARY}
ACT: Document = {"actor": "dr-ito", "reason": "licence"}


class Stand:
    """One Redis that a test writes to as an attacker or as a producer, and workers with given signing keys."""

    def __init__(self, url: str, mongo: MongoHandle) -> None:
        self._url = url
        self._mongo = mongo
        self.redis = open_arq_redis(self.settings({}), Codec())

    def settings(self, signing: dict[str, str]) -> Settings:
        return load_settings(redis_url=self._url, queue_signing_keys=signing, redis_timeout=1, worker_lease=2)

    def envelope(
        self, function: str, payload: Document, signing: dict[str, str], *, job_id: str | None = None
    ) -> bytes:
        owner = {} if job_id is None else {"id": job_id}
        return Codec(signing).encode({"f": function, "a": [payload], "k": {}, "t": None, "et": 1, **owner})

    async def put(self, job_id: str, envelope: bytes) -> None:
        assert await Scripts(self.redis).enqueue([Enqueue(job_id, QUEUE, envelope)]) == ["new"]

    async def due(self) -> int:
        """Return how many jobs a worker could claim now."""
        return (await Scripts(self.redis).counts([QUEUE])).queues[QUEUE].due

    async def work(self, signing: dict[str, str]) -> None:
        """Run a worker with these signing keys until the queue is empty."""
        settings = self.settings(signing)
        codec = Codec(settings.signing_secrets())

        async def connect() -> ArqRedis:
            return open_arq_redis(settings, codec)

        worker = LeaseWorker(
            [func(cast(Any, job), name=job.__name__) for job in JOB_FUNCTIONS],
            queues={QUEUE: 300},
            lease=2,
            burst=True,
            poll_delay=0.05,
            handle_signals=False,
            open_redis=connect,
            ctx={CONTEXT_KEY: WorkerContext(settings, self._mongo, Registrations(self._mongo))},
            job_serializer=codec.encode,
            job_deserializer=codec.decode,
        )
        await worker.async_run()
        await worker.close()

    async def outcome(self, job_id: str) -> Any:
        data = await self.redis.get(keys.RESULT + job_id)
        message = Codec().decode(data)
        assert message["s"], message["r"]
        return message["r"]

    async def refusal(self, job_id: str) -> str:
        failure = (await DeadLetterStore(self.redis).get(job_id)).failure
        return f"{failure.type}: {failure.message}"

    async def hospital(self, hospital_id: str = "cms:1") -> Document | None:
        return await self._mongo.hospitals.find_one({"_id": hospital_id})
