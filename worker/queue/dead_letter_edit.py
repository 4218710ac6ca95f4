"""The replacement of a dead letter's payload by one that an operator has corrected."""

from redis.asyncio import Redis

from worker.queue import keys
from worker.queue.dead_letter import DeadLetter, payload_digest, read_dead_letter
from worker.queue.script_source import script_source


async def replace_payload(redis: "Redis[bytes]", dead_letter: DeadLetter, envelope: bytes) -> bool:
    """Store `envelope` as the payload of a dead letter that `DeadLetterStore.get` returned; it stays one.

    Returns whether it was stored: not if the dead letter was changed, retried or discarded since. Raises redis-py's
    errors.
    """
    stored_id = dead_letter.job_id.encode()
    data = await redis.hget(keys.DEAD, stored_id)
    if data is None:
        return False
    stored = read_dead_letter(dead_letter.job_id, data)
    changed = stored.model_copy(update={"payload_bytes": len(envelope), "payload_digest": payload_digest(envelope)})
    before = b"" if stored.payload else dead_letter.envelope
    script = redis.register_script(script_source("edit_dead"))
    return bool(await script(keys=[keys.DEAD], args=[stored_id, data, before, changed.stored(), envelope]))
