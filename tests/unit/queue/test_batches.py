import pytest

from tests.redis_scripts.script_batch import BatchContract
from tests.redis_scripts.script_batch_settle import BatchCancelContract, BatchSettleContract
from worker.queue.batches import check_count, is_batch_id


class TestBatch(BatchContract):
    pass


class TestBatchCancel(BatchCancelContract):
    pass


class TestBatchSettle(BatchSettleContract):
    pass


@pytest.mark.parametrize("text", ["import-7", "a", "A.b_c-9", "x" * 100])
def test_a_batch_id_is_printable_and_short(text: str) -> None:
    assert is_batch_id(text)


@pytest.mark.parametrize("text", ["", "a b", "a:b", "x" * 101, "ü", "a\n", "a=b"])
def test_other_texts_are_no_batch_ids(text: str) -> None:
    assert not is_batch_id(text)


@pytest.mark.parametrize(
    ("name", "number"), [("", 1), ("a b", 1), ("a=b", 1), ("A", 1), ("1", 1), ("rows", -1), ("rows", 2**53)]
)
def test_a_count_that_cannot_be_stored_is_refused(name: str, number: int) -> None:
    with pytest.raises(ValueError, match="a job counts a number from 0 on"):
        check_count(name, number)
