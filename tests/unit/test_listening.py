import pytest

from worker.listening import address_of, is_loopback


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104  # is only looked at
        ("::", False),
        ("10.0.0.1", False),
        ("registry.example", False),
        ("", False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_an_address_is_as_a_url_has_it() -> None:
    assert (address_of("127.0.0.1", 80), address_of("::1", 80)) == ("127.0.0.1:80", "[::1]:80")
