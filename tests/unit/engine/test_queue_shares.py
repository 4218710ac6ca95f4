from hypothesis import given
from hypothesis import strategies as st

from worker.engine.queue_shares import QueueShares

SLOTS = {"single": 300, "bulk": 6, "slow": 20}


def test_the_first_queue_may_fill_every_slot() -> None:
    assert QueueShares(SLOTS, 300).limits(1, 120, [])[0] == ("single", 120)


def test_no_queue_gets_more_than_its_slots() -> None:
    assert dict(QueueShares(SLOTS, 300).limits(1, 300, [])) == {"single": 300, "bulk": 6, "slow": 20}
    assert dict(QueueShares(SLOTS, 300).limits(1, 3, [])) == {"single": 3, "bulk": 3, "slow": 3}


def test_running_jobs_count_against_their_queue_alone() -> None:
    shares = QueueShares(SLOTS, 300)

    assert dict(shares.limits(1, 290, ["bulk"] * 4 + ["single"] * 6)) == {"single": 290, "bulk": 2, "slow": 20}
    assert dict(shares.limits(1, 290, ["bulk"] * 9))["bulk"] == 0


def test_every_eighth_claim_asks_the_other_queues_first_for_one_job_each() -> None:
    shares = QueueShares(SLOTS, 300)

    assert shares.limits(8, 50, []) == [("bulk", 1), ("slow", 1), ("single", 50)]
    assert shares.limits(8, 50, ["bulk"] * 6) == [("bulk", 0), ("slow", 1), ("single", 50)]
    assert [queue for queue, _ in shares.limits(9, 50, [])] == ["single", "bulk", "slow"]


def test_a_single_queue_with_fewer_slots_than_the_worker_counts_its_running_jobs() -> None:
    assert QueueShares({"only": 20}, 300).counts_running
    assert QueueShares({"only": 20}, 300).limits(1, 280, ["only"] * 15) == [("only", 5)]
    assert not QueueShares({"only": 300}, 300).counts_running
    assert QueueShares(SLOTS, 300).counts_running


def test_a_single_queue_gets_all_free_slots() -> None:
    assert QueueShares({"only": 300}, 300).limits(8, 7, []) == [("only", 7)]


@given(
    slots=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 50_000), min_size=1),
    turn=st.integers(1, 100),
    wanted=st.integers(0, 50_000),
    running=st.lists(st.sampled_from(["a", "b", "c"]), max_size=50),
)
def test_each_queue_is_asked_once_for_at_most_its_free_slots(
    slots: dict[str, int], turn: int, wanted: int, running: list[str]
) -> None:
    limits = QueueShares(slots, 300).limits(turn, wanted, running)

    assert sorted(queue for queue, _ in limits) == sorted(slots)
    for queue, limit in limits:
        assert 0 <= limit <= max(0, min(slots[queue] - running.count(queue), wanted))


TURNS = QueueShares({"single": 300, "bulk": 6, "cms": 300, "nhs": 20}, 300, {"single", "cms", "nhs"})


def test_queues_of_equal_standing_get_equal_parts_and_then_what_the_others_leave() -> None:
    assert TURNS.limits(3, 90, []) == [
        *[("single", 30), ("cms", 30), ("nhs", 20)],
        *[("single", 60), ("cms", 60)],
        ("bulk", 6),
    ]
    assert TURNS.limits(3, 90, ["cms"] * 290) == [
        *[("single", 30), ("cms", 10), ("nhs", 20)],
        *[("single", 60), ("bulk", 6)],
    ]


def test_the_one_that_goes_first_is_another_at_each_claim() -> None:
    orders = [[queue for queue, _ in TURNS.limits(turn, 1, [])] for turn in (9, 10, 11)]

    assert orders == [
        ["single", "cms", "nhs", "bulk"],
        ["cms", "nhs", "single", "bulk"],
        ["nhs", "single", "cms", "bulk"],
    ]


def test_at_every_eighth_claim_lower_queues_go_before_those_that_take_turns() -> None:
    assert TURNS.limits(8, 3, []) == [("bulk", 1), *TURNS.limits(5, 3, [])[:-1]]


def test_queues_that_take_turns_stand_where_the_first_of_them_stands() -> None:
    shares = QueueShares({"urgent": 9, "bulk": 9, "cms": 9, "late": 9, "nhs": 9}, 9, {"nhs", "cms", "elsewhere"})

    assert [queue for queue, _ in shares.limits(2, 1, [])] == ["urgent", "bulk", "cms", "nhs", "late"]


@given(
    slots=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 50_000), min_size=1),
    in_turn=st.sets(st.sampled_from(["a", "b", "c"])),
    turn=st.integers(1, 100),
    wanted=st.integers(0, 50_000),
    running=st.lists(st.sampled_from(["a", "b", "c"]), max_size=50),
)
def test_however_they_take_turns_each_may_give_its_free_slots_and_no_more(
    slots: dict[str, int], in_turn: set[str], turn: int, wanted: int, running: list[str]
) -> None:
    limits = QueueShares(slots, 300, in_turn).limits(turn, wanted, running)

    most = {queue: sum(limit for name, limit in limits if name == queue) for queue in slots}
    for queue, limit in most.items():
        room = max(0, min(slots[queue] - running.count(queue), wanted))
        assert limit in ({room, min(1, room)} if turn % 8 == 0 else {room})


def test_a_queue_at_its_limit_has_no_room() -> None:
    shares = QueueShares(SLOTS, 300)

    assert shares.with_room(["bulk"] * 6 + ["slow"] * 19) == ["single", "slow"]
    assert QueueShares({"only": 2}, 10).with_room(["only", "only"]) == []
