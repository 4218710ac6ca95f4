from worker.monitoring.dashboard.sessions import LONGEST_S, Sessions
from worker.monitoring.dashboard.users import User

IDLE_S = 600.0
USER = User("ann", "viewer", "")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_when_it_is_idle_and_a_use_keeps_it() -> None:
    clock = Clock()
    sessions = Sessions(IDLE_S, clock)
    token = sessions.open(USER)

    clock.now = IDLE_S - 1
    assert sessions.find(token)
    clock.now += IDLE_S - 1
    assert sessions.find(token, is_use=False)
    clock.now += 2
    assert sessions.find(token) is None


def test_a_session_that_is_used_ends_when_it_is_old() -> None:
    clock = Clock()
    sessions = Sessions(IDLE_S, clock)
    token = sessions.open(USER)
    while clock.now < LONGEST_S - IDLE_S / 2:
        assert sessions.find(token)
        clock.now += IDLE_S / 2

    clock.now = LONGEST_S
    assert sessions.find(token) is None


def test_tokens_and_csrf_tokens_differ_and_a_closed_session_is_gone() -> None:
    sessions = Sessions(IDLE_S)
    tokens = [sessions.open(USER), sessions.open(USER)]
    found = [sessions.find(token) for token in tokens]

    assert len({*tokens, *(session.csrf_token for session in found if session)}) == 4
    sessions.close(tokens[0])
    assert [sessions.find(token) is None for token in (*tokens, "", "é")] == [True, False, True, True]


def test_the_number_of_sessions_is_bounded() -> None:
    sessions = Sessions(IDLE_S)
    tokens = [sessions.open(USER) for _ in range(1_001)]

    assert sessions.find(tokens[0]) is None
    assert sessions.find(tokens[1]) is not None


def test_a_notice_is_shown_once() -> None:
    sessions = Sessions(IDLE_S)
    session = sessions.find(sessions.open(USER))
    assert session
    session.notice = "done"

    assert (session.take_notice(), session.take_notice()) == ("done", "")
