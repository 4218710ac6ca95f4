"""Renews the leases of running jobs, up to 1,000 per call, from a thread that a busy event loop cannot starve."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from redis import Redis
from redis.exceptions import AuthenticationError, ResponseError

from worker.engine.events import EventLoopBlocked, Events, RenewalFailed, RenewalsHeldUp
from worker.engine.stuck_loop import stack_of
from worker.queue.script_source import script_source
from worker.queue.scripts import RENEW_KEYS
from worker.redis.errors import REDIS_ERRORS, error_code
from worker.redis.link_budget import LinkBudget

_RENEWALS_PER_LEASE = 4
# After a renewal that failed. The rest of the lease may be little more than what one more time-out takes.
_AGAIN_S = 0.5
_PER_CALL, _LEAST_PER_CALL = 1_000, 50
_BLOCKED_AFTER_S = 5.0
# A lease may be an hour, and nobody waits so long to learn that the event loop is stuck.
LONGEST_WITHOUT_LOOK_S = 2.5


class Lease(NamedTuple):
    """A claim on one job, as its owner knows it."""

    job_id: bytes
    queue: str
    token: str


class LeaseRenewer:
    """Renews each lease from `hold` until `release`.

    The leases are written by the event loop and read by the thread; single operations of a dict are atomic.
    `connect` opens the thread's own connection. `on_lost` is called in the loop with leases that another worker
    owns by now. `take_if_stuck` is called every 2.5 s at least with the seconds for which the loop has been silent
    and the id of the loop's thread, and says whether the loop has lost all its jobs. `failed` gets an exception if
    the thread dies of one.
    """

    def __init__(
        self,
        connect: "Callable[[], Redis[bytes]]",
        lease_s: float,
        on_lost: Callable[[list[Lease]], None],
        events: Events,
        take_if_stuck: Callable[[float, int], bool],
    ) -> None:
        self._held: dict[bytes, Lease] = {}
        self._connect = connect
        self._lease_s = lease_s
        self._on_lost = on_lost
        self._events = events
        self._take_if_stuck = take_if_stuck
        self._reported_blocked = False
        self.problem = ""
        """Why leases are not renewed although Redis answers; empty if they are."""
        self._stop = threading.Event()
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self._loop_thread = threading.get_ident()
        self._loop_seen = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="lease-renewer", daemon=True)
        self._thread.start()

    def hold(self, lease: Lease) -> None:
        """Renew this lease from now on, instead of an earlier one of the same job."""
        self._held[lease.job_id] = lease

    def release(self, job_id: bytes, token: str) -> None:
        """Stop renewing the lease of a job, unless the job is held under another token by now."""
        lease = self._held.get(job_id)
        if lease is not None and lease.token == token:
            del self._held[job_id]

    async def close(self) -> None:
        """Stop renewing and wait until the thread has ended."""
        self._stop.set()
        # Not `to_thread`: jobs may have filled the executor, and the join would wait behind them.
        await self._ended.wait()
        self._thread.join()
        self.failed.cancel()

    def _run(self) -> None:
        try:
            self._renew_until_stopped()
        except BaseException as error:  # noqa: BLE001 (raised again where it is seen: in the worker's main task)
            self._loop.call_soon_threadsafe(self._fail, error)
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def _renew_until_stopped(self) -> None:
        redis = self._connect()
        renew = redis.register_script(script_source("renew"))
        interval_s = self._lease_s / _RENEWALS_PER_LEASE
        wait_s = interval_s
        per_call = LinkBudget(
            first=_PER_CALL, least=min(_LEAST_PER_CALL, _PER_CALL), most=_PER_CALL, timeout_s=interval_s
        )
        slept_from = time.monotonic()
        while not self._wait_and_watch(wait_s):
            held_up_s = time.monotonic() - slept_from - wait_s
            held_up = held_up_s > self._lease_s / 2
            if held_up:
                self._events.send(RenewalsHeldUp(held_up_s))
            wait_s = interval_s
            leases = list(self._held.copy().values())
            try:
                while leases:
                    part, leases = leases[: per_call.size], leases[per_call.size :]
                    began = time.monotonic()
                    lost = renew(
                        keys=RENEW_KEYS,
                        args=[int(self._lease_s * 1000), *(value for lease in part for value in lease)],
                    )
                    per_call.carried(len(part), time.monotonic() - began)
                    # A job that held this thread up, and so lost its lease, may end before the next round.
                    # Interrupted instead, it would never end: the next worker is held up likewise.
                    if lost and not held_up:
                        taken = [lease for lease in part if lease.job_id in lost]
                        self._loop.call_soon_threadsafe(self._on_lost, taken)
            except REDIS_ERRORS as error:
                # The next round tries again, in smaller calls: it may be the link that is slow.
                wait_s = min(interval_s, _AGAIN_S)
                per_call.halve()
                self._note_failure(error)
            else:
                self.problem = ""
            slept_from = time.monotonic()
        redis.close()

    def _note_failure(self, error: Exception) -> None:
        refused = isinstance(error, ResponseError | AuthenticationError)
        problem = f"leases are not renewed ({error_code(error) or type(error).__name__})" if refused else ""
        if not refused or problem != self.problem:
            self._events.send(RenewalFailed(type(error).__name__, refused))
        self.problem = problem

    def _wait_and_watch(self, seconds: float) -> bool:
        """Wait for so long, and look at the event loop meanwhile. Returns whether to stop."""
        while seconds > 0:
            until_look_s = min(seconds, LONGEST_WITHOUT_LOOK_S)
            if self._stop.wait(until_look_s):
                return True
            seconds -= until_look_s
            self._reported_blocked = self._watch_loop(self._reported_blocked)
        return False

    def _watch_loop(self, reported: bool) -> bool:
        silent_s = time.monotonic() - self._loop_seen
        self._loop.call_soon_threadsafe(self._note_loop)
        if self._take_if_stuck(silent_s, self._loop_thread):
            gone, self._held = list(self._held.values()), {}
            self._loop.call_soon_threadsafe(self._on_lost, gone)
        if silent_s < max(_BLOCKED_AFTER_S, 2 * self._lease_s / _RENEWALS_PER_LEASE):
            return False
        if not reported:
            # The loop may be blocked by the log itself, whose reader hangs: this thread must not wait for it too.
            self._events.send_aside(EventLoopBlocked(silent_s, stack_of(self._loop_thread)))
        return True

    def _note_loop(self) -> None:
        self._loop_seen = time.monotonic()
