from tests.redis_scripts.script_batch import BatchContract
from tests.redis_scripts.script_batch_settle import BatchCancelContract, BatchSettleContract


class TestBatch(BatchContract):
    pass


class TestBatchCancel(BatchCancelContract):
    pass


class TestBatchSettle(BatchSettleContract):
    pass
