from hypothesis import given
from hypothesis import strategies as st

from worker.engine.queue_shares import QueueShares

QUEUES = ("single", "bulk")


def test_the_first_queue_may_fill_every_slot() -> None:
    assert QueueShares(QUEUES, 300).limits(1, 120, [])[0] == ("single", 120)


def test_bulk_queues_hold_one_slot_in_fifty() -> None:
    assert dict(QueueShares(QUEUES, 300).limits(1, 300, []))["bulk"] == 6


def test_a_small_worker_still_takes_bulk_jobs() -> None:
    assert dict(QueueShares(QUEUES, 20).limits(1, 20, []))["bulk"] == 4
    assert dict(QueueShares(QUEUES, 1).limits(1, 1, []))["bulk"] == 1


def test_running_bulk_jobs_count_against_their_queue_alone() -> None:
    shares = QueueShares((*QUEUES, "slow"), 300)

    limits = dict(shares.limits(1, 290, ["bulk"] * 4 + ["single"] * 6))

    assert limits == {"single": 290, "bulk": 2, "slow": 6}
    assert dict(shares.limits(1, 290, ["bulk"] * 9))["bulk"] == 0


def test_every_eighth_claim_asks_the_others_first_for_one_job_each() -> None:
    shares = QueueShares((*QUEUES, "slow"), 300)

    assert shares.limits(8, 50, []) == [("bulk", 1), ("slow", 1), ("single", 50)]
    assert shares.limits(8, 50, ["bulk"] * 6) == [("bulk", 0), ("slow", 1), ("single", 50)]
    assert [queue for queue, _ in shares.limits(9, 50, [])] == ["single", "bulk", "slow"]


def test_one_queue_needs_no_sharing() -> None:
    assert QueueShares(("only",), 300).limits(8, 7, []) == [("only", 7)]


@given(
    max_jobs=st.integers(1, 50_000),
    turn=st.integers(1, 100),
    wanted=st.integers(1, 50_000),
    held=st.lists(st.sampled_from(QUEUES), max_size=50),
)
def test_no_queue_is_asked_twice_or_beyond_its_slots(
    max_jobs: int, turn: int, wanted: int, held: list[str]
) -> None:
    limits = QueueShares(QUEUES, max_jobs).limits(turn, wanted, held)

    assert sorted(queue for queue, _ in limits) == sorted(QUEUES)
    assert dict(limits)["single"] == wanted
    assert 0 <= dict(limits)["bulk"] <= min(max_jobs, max(4, max_jobs // 50))
