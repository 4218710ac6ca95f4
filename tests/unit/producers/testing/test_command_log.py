"""What the log says of commands; tests/integration/producers/testing has those that drivers send."""

import pytest
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession

from producers.testing import CommandLog, LoggedCommand


def command(
    name: str, collection: str, session: bytes | None = None, transaction: int | None = None
) -> LoggedCommand:
    return LoggedCommand(name, "db", {name: collection}, session, transaction)


ONE, OTHER = b"\x01" * 16, b"\x02" * 16
ALONE = [command("insert", "a"), command("update", "b")]
IN_SESSION = [command("insert", "a", ONE), command("delete", "b", ONE)]
IN_TRANSACTION = [command("insert", "a", ONE, 1), command("findAndModify", "b", ONE, 1)]
IN_TWO = [command("insert", "a", ONE, 1), command("insert", "b", ONE, 2)]
IN_TWO_SESSIONS = [command("insert", "a", ONE, 1), command("insert", "b", OTHER, 1)]
HALF = [command("insert", "a", ONE, 1), command("insert", "b")]
CHECKS = ("no_session", "one_session", "one_transaction")


@pytest.mark.parametrize(
    ("commands", "holds"),
    [
        (ALONE, {"no_session"}),
        (IN_SESSION, {"one_session"}),
        (IN_TRANSACTION, {"one_session", "one_transaction"}),
        (IN_TWO, {"one_session"}),
        (IN_TWO_SESSIONS, set()),
        (HALF, set()),
        ([], set()),
        # Reads are not looked at, and nothing was written to `b`.
        ([command("insert", "a"), command("find", "b")], set()),
    ],
)
def test_each_check_holds_for_its_commands_alone(commands: list[LoggedCommand], holds: set[str]) -> None:
    log = CommandLog()
    log.commands.extend(commands)
    for name in CHECKS:
        check = getattr(log, f"assert_{name}")
        if name in holds:
            check("a", "b")
        else:
            with pytest.raises(AssertionError):
                check("a", "b")


def test_an_error_shows_where_each_write_was() -> None:
    log = CommandLog()
    log.commands.extend(HALF)
    with pytest.raises(AssertionError) as caught:
        log.assert_one_transaction("a", "b")
    assert str(caught.value) == (
        "not one transaction: insert a (session 01010101, transaction 1); insert b (no session)"
    )
    log.clear()
    with pytest.raises(AssertionError, match="nothing was written to a: no writes"):
        log.assert_no_session("a")


@pytest.mark.parametrize("kind", [ClientSession, AsyncClientSession])
def test_the_driver_is_as_before_after_the_block(kind: type) -> None:
    before = vars(kind).get("__init__"), kind.__init__  # type: ignore[misc]
    with CommandLog():
        assert kind.__init__ is not before[1]  # type: ignore[misc]
    assert (vars(kind).get("__init__"), kind.__init__) == before  # type: ignore[misc]
