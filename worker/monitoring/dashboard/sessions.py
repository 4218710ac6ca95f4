"""Who is logged in: sessions in the memory of this process, known to a browser by a random token."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.monitoring.dashboard.users import User

LONGEST_S = 43_200.0
"""Seconds after which every session ends."""
_MOST = 1_000


@dataclass(slots=True)
class Session:
    """One log-in. `notice` is what the next page says about the last action."""

    user: User
    opened_at: float
    used_at: float
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    notice: str = ""

    def take_notice(self) -> str:
        """Return the notice, which is shown once."""
        notice, self.notice = self.notice, ""
        return notice


class Sessions:
    """All sessions. They end when they are idle, when they are old, on log-out, and with this process.

    `idle_s` is for how many seconds one may be without a request.
    """

    def __init__(self, idle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle_s = idle_s
        self._clock = clock
        # By the digest of the token: what is in memory opens no session.
        self._sessions: dict[bytes, Session] = {}

    def open(self, user: User) -> str:
        """Begin a session and return its token. Beyond 1,000 sessions the oldest one ends."""
        now = self._clock()
        self._sessions = {key: known for key, known in self._sessions.items() if self._is_open(known, now)}
        while len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = Session(user, now, now)
        return token

    def find(self, token: str, *, is_use: bool = True) -> Session | None:
        """Return the session of a token, if it has not ended. A stream's look is no use, so it can become idle."""
        session = self._sessions.get(_digest(token))
        now = self._clock()
        if session is None or not self._is_open(session, now):
            return None
        if is_use:
            session.used_at = now
        return session

    def close(self, token: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(_digest(token), None)

    def _is_open(self, session: Session, now: float) -> bool:
        return now - session.used_at < self._idle_s and now - session.opened_at < LONGEST_S


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
