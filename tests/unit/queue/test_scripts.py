from tests.redis_scripts.script_claim import ClaimContract, OutageContract
from tests.redis_scripts.script_clock import ClockContract
from tests.redis_scripts.script_dead import DeadPayloadContract
from tests.redis_scripts.script_digests import BatchDigestContract, DigestContract
from tests.redis_scripts.script_enqueue import EnqueueContract, RedriveContract
from tests.redis_scripts.script_finish import FinishContract
from tests.redis_scripts.script_history import HistoryContract
from tests.redis_scripts.script_leases import CountsContract, RecoverContract, RenewContract
from tests.redis_scripts.script_rate_limit import RateLimitContract
from tests.redis_scripts.script_wait import WaitContract


class TestEnqueue(EnqueueContract):
    pass


class TestRedrive(RedriveContract):
    pass


class TestClaim(ClaimContract):
    pass


class TestRateLimit(RateLimitContract):
    pass


class TestOutage(OutageContract):
    pass


class TestFinish(FinishContract):
    pass


class TestHistory(HistoryContract):
    pass


class TestDeadPayload(DeadPayloadContract):
    pass


class TestRenew(RenewContract):
    pass


class TestRecover(RecoverContract):
    pass


class TestCounts(CountsContract):
    pass


class TestClock(ClockContract):
    pass


class TestDigests(DigestContract):
    pass


class TestBatchDigests(BatchDigestContract):
    pass


class TestWait(WaitContract):
    pass
