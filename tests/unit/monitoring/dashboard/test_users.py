import pytest

from worker.errors import ConfigurationError
from worker.monitoring.dashboard.passwords import hash_password, matches
from worker.monitoring.dashboard.users import Users

HASH = hash_password("only of this test")


def test_a_hash_is_of_one_password_and_never_repeats() -> None:
    assert matches("only of this test", HASH)
    assert not matches("only of this tesT", HASH)
    assert not matches("", HASH)
    assert not matches("only of this test", "only of this test")
    assert hash_password("only of this test") != HASH
    assert not set(HASH) & set("$:, '\"\\")


def test_users_are_found_by_name_and_password() -> None:
    users = Users(f"ann:operator:{HASH}, bob@x.org:viewer:{HASH}")

    found = users.find("ann", "only of this test")
    assert found
    assert (found.name, found.role, found.acts, found.sees_payloads) == ("ann", "operator", True, True)
    viewer = users.find("bob@x.org", "only of this test")
    assert viewer
    assert (viewer.acts, viewer.sees_payloads) == (False, False)
    assert users.find("ann", "another") is None
    assert users.find("", "") is None
    assert users.find("eve", "") is None


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("", "no user"),
        (" , ", "no user"),
        ("ann:operator:secret-in-plain", "entry 1"),
        ("ann:admin:HASH", "entry 1"),
        ("ann:viewer:HASH,ann:operator:HASH", "entry 2"),
        ("a b:viewer:HASH", "entry 1"),
        ("HASH", "entry 1"),
    ],
)
def test_the_page_does_not_start_with_invalid_users(setting: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        Users(setting.replace("HASH", HASH))

    assert str(refused.value).startswith("DASHBOARD_USERS: ")
    assert "secret" not in str(refused.value)
    assert HASH not in str(refused.value)
