"""Sessions whose reads see a given write, in any process and on any member."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from worker.mongo.client import MongoHandle, Session, settled
from worker.mongo.tokens import decode_token


@asynccontextmanager
async def causal_session(mongo: MongoHandle, token: str) -> AsyncIterator[Session]:
    """Open a causally consistent session whose reads see the write that returned `token`.

    Raises `InvalidPayload` if `token` is not a causal token of this service.
    """
    point = decode_token(token)
    session = await settled(mongo.client.start_session(causal_consistency=True))
    try:
        session.advance_cluster_time(point.cluster_time)
        session.advance_operation_time(point.operation_time)
        yield session
    finally:
        await session.end_session()


def session_seeing(mongo: MongoHandle, token: str | None) -> AbstractAsyncContextManager[Session | None]:
    """Return the context of a session that sees the write of a token, or of none; raises as `causal_session`."""
    return nullcontext() if token is None else causal_session(mongo, token)
