from tests.contracts.queue_claim import ClaimContract, SilenceContract
from tests.contracts.queue_enqueue import EnqueueContract, RedriveContract
from tests.contracts.queue_finish import FinishContract
from tests.contracts.queue_leases import CountsContract, RecoverContract, RenewContract


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
