"""Renews the leases of all running jobs in one call, from a thread that a busy event loop cannot starve."""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

import structlog
from redis import Redis

from worker.engine.redis_health import REDIS_ERRORS
from worker.queue import keys
from worker.queue.scripts import script_source

_log = structlog.stdlib.get_logger(__name__)

_RENEWALS_PER_LEASE = 4
_PER_CALL = 1_000
_BLOCKED_AFTER_S = 5.0
# Deep enough to reach from inside a client library out to the job that called it.
_STACK_PLACES = 40


class Lease(NamedTuple):
    """A claim on one job, as its owner knows it."""

    job_id: bytes
    queue: str
    token: str


class LeaseRenewer:
    """Keeps the leases in `held` alive until they are removed from it.

    `held` is written by the event loop and read by the thread; single operations of a dict are atomic.
    `on_lost` is called in the loop with the leases that belong to somebody else by now. `failed` ends with an
    error if the thread does.
    """

    def __init__(
        self,
        connect: "Callable[[], Redis[bytes]]",
        lease_s: float,
        on_lost: Callable[[list[Lease]], None],
    ) -> None:
        self.held: dict[bytes, Lease] = {}
        self._connect = connect
        self._lease_s = lease_s
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self._loop_thread = threading.get_ident()
        self._loop_seen = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop renewing and wait until the thread has ended."""
        self._stop.set()
        # Not `to_thread`: jobs may have filled the executor, and the join would queue up behind them.
        await self._ended.wait()
        self._thread.join()
        self.failed.cancel()

    def _run(self) -> None:
        try:
            self._renew_until_stopped()
        except BaseException as error:  # noqa: BLE001 (it is raised where it is seen: in the worker's main task)
            self._loop.call_soon_threadsafe(self._fail, error)
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def _renew_until_stopped(self) -> None:
        redis = self._connect()
        renew = redis.register_script(script_source("renew"))
        interval = self._lease_s / _RENEWALS_PER_LEASE
        told_blocked = False
        while not self._stop.wait(interval):
            told_blocked = self._watch_loop(told_blocked)
            leases = list(self.held.copy().values())
            try:
                for start in range(0, len(leases), _PER_CALL):
                    part = leases[start : start + _PER_CALL]
                    lost = renew(
                        keys=[keys.LEASES, keys.CLOCK],
                        args=[int(self._lease_s * 1000), *(value for lease in part for value in lease)],
                    )
                    if lost:
                        taken = [lease for lease in part if lease.job_id in lost]
                        self._loop.call_soon_threadsafe(self._on_lost, taken)
            except REDIS_ERRORS as error:
                # The event loop's own calls tell of the outage; the next round tries again.
                _log.debug("leases not renewed", action="renewal_failed", error=type(error).__name__)
        redis.close()

    def _watch_loop(self, told: bool) -> bool:
        silent_s = time.monotonic() - self._loop_seen
        self._loop.call_soon_threadsafe(self._note_loop)
        if silent_s < max(_BLOCKED_AFTER_S, 2 * self._lease_s / _RENEWALS_PER_LEASE):
            return False
        if not told:
            frame = sys._current_frames().get(self._loop_thread)
            _log.error(
                "the event loop is blocked, probably by a job that computes or calls something synchronous",
                action="event_loop_blocked",
                seconds=round(silent_s, 1),
                # Places only: a line of source cannot hold a payload, a local variable could.
                stack="".join(traceback.format_stack(frame, limit=_STACK_PLACES)) if frame else "",
            )
        return True

    def _note_loop(self) -> None:
        self._loop_seen = time.monotonic()
