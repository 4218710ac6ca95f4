import pytest

from producers.gateway.keys import Keys, Scope, entry_of, make_key
from worker.errors import ConfigurationError

KEY, OTHER = make_key(), make_key()
ENTRY = entry_of("billing", ["read", "enqueue"], KEY)
HASH = ENTRY.rpartition(":")[2]


def test_a_key_is_found_with_its_owner_and_scopes() -> None:
    operator = entry_of("ann@x.org", ["operate"], OTHER)
    keys = Keys(f"{ENTRY}, {operator}")

    found, other = keys.find(KEY), keys.find(OTHER)
    assert found
    assert (found.owner, set(found.scopes)) == ("billing", {"read", "enqueue"})
    assert other
    assert (other.owner, set(other.scopes)) == ("ann@x.org", {"operate"})


@pytest.mark.parametrize(
    "given",
    ["", KEY[:-1], KEY + "x", KEY.swapcase(), HASH, "é", "\ud800", make_key()],
    ids=["none", "shorter", "longer", "other case", "its hash", "not ASCII", "half a character", "another"],
)
def test_nothing_but_the_key_is_accepted(given: str) -> None:
    assert Keys(ENTRY).find(given) is None


def test_an_entry_says_nothing_of_the_key_and_needs_no_quotes() -> None:
    assert KEY not in ENTRY
    assert KEY.removeprefix("hrk_") not in ENTRY
    assert not set(ENTRY) & set("$, '\"\\")
    assert make_key() != make_key()


def test_an_owner_may_have_two_keys_while_one_replaces_the_other() -> None:
    keys = Keys(f"{ENTRY},{entry_of('billing', ['read'], OTHER)}")
    assert keys.find(KEY) != keys.find(OTHER)


@pytest.mark.parametrize("owner", ["", "a b", "a:b", "a,b", "x" * 101])
def test_a_name_that_an_entry_cannot_have_is_refused(owner: str) -> None:
    scopes: list[Scope] = ["read"]
    with pytest.raises(ConfigurationError, match="a key's NAME has"):
        entry_of(owner, scopes, KEY)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("", "no key"),
        (" , ", "no key"),
        ("billing:read:secret-in-plain", "entry 1"),
        ("billing:admin:HASH", "entry 1"),
        ("billing::HASH", "entry 1"),
        ("billing:read+:HASH", "entry 1"),
        ("a b:read:HASH", "entry 1"),
        ("billing:read:HASH,other:read:HASH", "entry 2"),
        ("HASH", "entry 1"),
    ],
)
def test_the_gateway_does_not_start_with_invalid_keys(setting: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        Keys(setting.replace("HASH", HASH))

    assert str(refused.value).startswith("GATEWAY_KEYS: ")
    assert "secret" not in str(refused.value)
    assert HASH not in str(refused.value)
