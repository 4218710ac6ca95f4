from worker.monitoring.dashboard.login_limit import MOST_PER_ADDRESS, MOST_PER_NAME, WINDOW_S, LoginLimit


def test_tries_are_limited_per_name_until_the_window_has_passed() -> None:
    now = [0.0]
    limit = LoginLimit(lambda: now[0])
    assert [limit.try_now("ann", str(number)) for number in range(MOST_PER_NAME)] == [0.0] * MOST_PER_NAME

    now[0] = 100
    assert limit.try_now("ann", "x") == WINDOW_S - 100
    assert limit.try_now("bob", "x") == 0.0
    now[0] = WINDOW_S
    assert limit.try_now("ann", "x") == 0.0


def test_tries_are_limited_per_address() -> None:
    limit = LoginLimit(lambda: 0.0)
    for number in range(MOST_PER_ADDRESS):
        assert limit.try_now(str(number), "here") == 0.0

    assert limit.try_now("new", "here") == WINDOW_S
    assert limit.try_now("new", "there") == 0.0


def test_a_success_forgets_the_tries_of_the_name_alone() -> None:
    limit = LoginLimit(lambda: 0.0)
    for _ in range(MOST_PER_ADDRESS):
        assert limit.try_now("ann", "here") == 0.0
        limit.succeeded("ann")

    assert limit.try_now("ann", "here") > 0
    assert limit.try_now("ann", "there") == 0.0


def test_what_is_remembered_is_bounded() -> None:
    limit = LoginLimit(lambda: 0.0)
    for number in range(6_000):
        limit.try_now(f"name-{number}", f"address-{number}")

    assert len(limit._tries) == 10_000
