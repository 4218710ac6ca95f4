from tests.redis_scripts.script_claim import ClaimContract, SilenceContract
from tests.redis_scripts.script_enqueue import EnqueueContract, RedriveContract
from tests.redis_scripts.script_finish import FinishContract
from tests.redis_scripts.script_leases import CountsContract, RecoverContract, RenewContract


class TestEnqueue(EnqueueContract):
    pass


class TestRedrive(RedriveContract):
    pass


class TestClaim(ClaimContract):
    pass


class TestSilence(SilenceContract):
    pass


class TestFinish(FinishContract):
    pass


class TestRenew(RenewContract):
    pass


class TestRecover(RecoverContract):
    pass


class TestCounts(CountsContract):
    pass
