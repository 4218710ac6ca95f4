import logging
from typing import Any

import pytest

from worker.log_lines import LineLogger, LogLine


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> LineLogger:
    caplog.set_level(logging.DEBUG, logger="lines")
    return LineLogger("lines")


def test_a_line_shows_its_text_and_its_facts(log: LineLogger, caplog: pytest.LogCaptureFixture) -> None:
    log.info("lease lost", action="lease_lost", job_id="a", tries=2, delay_s=0.5)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("lines", logging.INFO)
    assert record.getMessage() == "lease lost action=lease_lost job_id=a tries=2 delay_s=0.5"


def test_each_fact_is_an_attribute_to_filter_on(log: LineLogger, caplog: pytest.LogCaptureFixture) -> None:
    log.error("dead", extra={"order": 7}, action="job_dead_lettered", message="busy", module=3)
    attributes = vars(caplog.records[0])
    assert attributes["action"] == "job_dead_lettered"
    # `logging` keeps these two names for itself.
    assert (attributes["message_"], attributes["module_"]) == ("busy", 3)
    assert attributes["extra"] == {"order": 7}
    assert "7" not in caplog.records[0].getMessage()


def test_a_line_says_where_it_was_written(log: LineLogger, caplog: pytest.LogCaptureFixture) -> None:
    log.warning("here")
    assert (caplog.records[0].filename, caplog.records[0].funcName) == (
        "test_log_lines.py",
        "test_a_line_says_where_it_was_written",
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two words", "'two words'"),
        ("", "''"),
        ("a=b", "'a=b'"),
        ("x\n12:00:00: forged", r"'x\\n12:00:00: forged'"),
        ("\x1b[2J", r"\x1b[2J"),
        (None, "None"),
    ],
)
def test_a_fact_can_neither_forge_a_line_nor_control_a_terminal(value: object, shown: str) -> None:
    assert str(LogLine("text", {"fact": value})) == f"text fact={shown}"


def test_a_stack_is_shown_below_and_indented() -> None:
    line = str(LogLine("blocked", {"stack": "one\n\x1btwo", "seconds": 5}))
    assert line == "blocked seconds=5\n  one\n  \\x1btwo"


def test_what_nobody_wants_is_not_made(caplog: pytest.LogCaptureFixture) -> None:
    class Secret:
        def __str__(self) -> str:
            raise AssertionError("made into text")

    caplog.set_level(logging.ERROR, logger="lines")
    LineLogger("lines").info("text", fact=Secret())
    assert caplog.records == []


def test_a_message_is_a_string_for_filters_that_look_into_it(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tests.filtered")
    seen: list[str] = []

    def unwanted(record: logging.LogRecord) -> bool:
        seen.append(record.msg)
        return "recording health" not in record.msg and not record.msg.startswith("j_complete")

    logger.addFilter(unwanted)
    try:
        LineLogger(logger.name).error("job died", job_id="a 1", stack="one\ntwo")
    finally:
        logger.removeFilter(unwanted)
    assert seen == ["job died job_id='a 1'\n  one\n  two"]
    assert [record.getMessage() for record in caplog.records] == seen


def test_a_fact_that_the_programs_own_record_factory_sets_gets_an_underscore(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plain = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = plain(*args, **kwargs)
        record.job_id = "of the program"
        return record

    logging.setLogRecordFactory(factory)
    try:
        LineLogger("tests.factory").error("job died", job_id="a")
    finally:
        logging.setLogRecordFactory(plain)
    (record,) = caplog.records
    assert (vars(record)["job_id"], vars(record)["job_id_"]) == ("of the program", "a")
