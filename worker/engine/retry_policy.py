"""The one place that decides what becomes of a job that did not succeed. A pure function over the error tree."""

from dataclasses import dataclass

from arq.worker import Retry as ArqRetry
from arq.worker import RetryJob as ArqRetryJob

from worker.errors import ConflictError, OutageError, PermanentError, TransientError

# Conflicts clear within a transaction's time, passing faults within a fail-over's, and an outage is only
# waited out: its jobs come back in small steps so that work resumes within seconds of the store's return.
_CONFLICT_BASE_S, _CONFLICT_CAP_S = 0.05, 2.0
_TRANSIENT_BASE_S, _TRANSIENT_CAP_S = 0.5, 60.0
_OUTAGE_S = 1.0


@dataclass(frozen=True, slots=True)
class RunAgain:
    """Run the job again after `delay_s`; an outage does not spend a try."""

    delay_s: float
    spends_try: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Keep the job as a dead letter, for `reason`."""

    reason: str


def decide(error: BaseException, *, tries: int, max_tries: int, jitter: float) -> RunAgain | GiveUp:
    """Decide what becomes of a job whose try number `tries` ended with `error`.

    `jitter` is a random number from 0 to 1; delays are spread between half and the whole of their nominal
    length. An exception that is neither of this service's tree nor of the operating system is a defect, and
    repeating a defect does not mend it: it is given up at once, as arq does.
    """
    spread = 0.5 + jitter / 2
    match error:
        case BaseExceptionGroup():
            # What one of several errors rules out, the group rules out.
            decisions = [decide(part, tries=tries, max_tries=max_tries, jitter=jitter) for part in error.exceptions]
            return max(decisions, key=_gravity)
        case OutageError():
            return RunAgain(_OUTAGE_S * spread, spends_try=False)
        case ArqRetry():
            delay_s = (error.defer_score or 0) / 1000
        case ArqRetryJob():
            delay_s = 0
        case ConflictError():
            delay_s = _backoff(_CONFLICT_BASE_S, _CONFLICT_CAP_S, tries) * spread
        case TransientError() | OSError():
            # OSError covers TimeoutError and the connection errors.
            delay_s = _backoff(_TRANSIENT_BASE_S, _TRANSIENT_CAP_S, tries) * spread
        case PermanentError():
            return GiveUp("permanent error")
        case _:
            return GiveUp("unexpected error")
    if tries >= max_tries:
        return GiveUp(f"{tries} of {max_tries} tries ended with {type(error).__name__}")
    return RunAgain(delay_s)


def _backoff(base_s: float, cap_s: float, tries: int) -> float:
    # The exponent is bounded so that a large number of tries cannot overflow.
    return min(cap_s, base_s * 2.0 ** min(tries - 1, 30))


def _gravity(decision: RunAgain | GiveUp) -> tuple[bool, bool, float]:
    if isinstance(decision, GiveUp):
        return (True, True, 0)
    return (False, decision.spends_try, decision.delay_s)
