# ruff: noqa: RUF001  (cells in many scripts)

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.values import MISSING, DateOrder, ValueWishes
from producers.files.values.words import table
from tests.support.columns import NOW, notes_of, read_column
from worker.contract.placeholders import word_key
from worker.errors import ConfigurationError

FIELD = "observed_at"
BOTH = "!may be day/month or month/day; give --date-order"
NO = "!is not a date"
NO_DAY = "!is a date that does not exist"
NUMBER = "!is a number, and not in all rows a date"
DAY_MISSING = "!is a year or a month, not a day"
FIRST = "2024-03-01T00:00:00Z"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2024-03-01", FIRST), ("2024-03-01T12:00:00+02:00", "2024-03-01T10:00:00Z"),
        ("2024-03-01 12:00:00", "2024-03-01T12:00:00Z"),
        ("2024-03-01T12:00:00Z", "2024-03-01T12:00:00Z"),
        ("2024-03-01T12:00:00.123456789Z", "2024-03-01T12:00:00.123456Z"),
        ("2024-03-01 12:00", "2024-03-01T12:00:00Z"), ("2024-03-01T12:00:00+0530", "2024-03-01T06:30:00Z"),
        ("2024-03-01T12:00:00-05", "2024-03-01T17:00:00Z"), ("2024-03-01 12:00:00 UTC", "2024-03-01T12:00:00Z"),
        ("2024/3/1", FIRST), ("2024.03.01", FIRST), ("2024. 3. 1.", FIRST), ("2024年3月1日", FIRST),
        ("2024년 3월 1일", FIRST),
        ("２０２４年３月１日", FIRST), ("٢٠٢٤-٠٣-٠١", FIRST), ("20240301", FIRST),
        ("20240301120000", "2024-03-01T12:00:00Z"),
        ("20240301T120000Z", "2024-03-01T12:00:00Z"), ("1.3.2024", FIRST), ("01.03.2024", FIRST),
        ("01.03.2024 г.", FIRST),
        ("1. 3. 2024", FIRST), ("13/03/2024", "2024-03-13T00:00:00Z"), ("03/13/2024", "2024-03-13T00:00:00Z"),
        ("05/05/2024", "2024-05-05T00:00:00Z"), ("03/13/24", "2024-03-13T00:00:00Z"),
        ("3/13/2024 1:30 PM", "2024-03-13T13:30:00Z"),
        ("3/13/2024 12:05 a. m.", "2024-03-13T00:05:00Z"), ("12/31/99", "1999-12-31T00:00:00Z"),
        ("1 March 2024", FIRST), ("March 1, 2024", FIRST), ("1st March 2024", FIRST), ("Mar 1 2024", FIRST),
        ("01-Mar-2024", FIRST),
        ("01-Mar-24", FIRST), ("01MAR2024", FIRST), ("2024 March 1", FIRST),
        ("Fri, 01 Mar 2024 12:00:00 GMT", "2024-03-01T12:00:00Z"),
        ("1er mars 2024", FIRST), ("1 de marzo de 2024", FIRST), ("1 de março de 2024", FIRST),
        ("1. März 2024", FIRST),
        ("1 marzo 2024", FIRST), ("1 maart 2024", FIRST), ("1 marca 2024", FIRST), ("1. března 2024", FIRST),
        ("1 Mart 2024", FIRST),
        ("1 Maret 2024", FIRST), ("ngày 1 tháng 3 năm 2024", FIRST), ("1 марта 2024 г.", FIRST),
        ("1 березня 2024 р.", FIRST),
        ("1 مارس 2024", FIRST), ("1 Μαρτίου 2024", FIRST), ("1 mars 2024 12:30", "2024-03-01T12:30:00Z"),
        ("/Date(1709251200000)/", FIRST), ("/Date(1709251200000+0000)/", FIRST),
        (datetime(2024, 3, 1, tzinfo=UTC), FIRST), (datetime.fromisoformat("2024-03-01"), FIRST),
        (date(2024, 3, 1), FIRST),
        (20240301, FIRST), ("20240301.0", FIRST), (20240301.0, FIRST),
        ("01-MAR-24 12.30.00.000000 PM", "2024-03-01T12:30:00Z"),
        ("2024/03/01 12:00:00+00", "2024-03-01T12:00:00Z"),
        ("2024-03-01 12:00:00.0000000", "2024-03-01T12:00:00Z"), ("2026-11-28", "2026-11-28T00:00:00Z"),
        ("03/04/2024", BOTH), ("3-4-2024", BOTH), ("03/04/24", BOTH), ("13/03/24", BOTH),
        ("3/4/2024 1:30 PM", BOTH),
        ("31/02/2024", NO), ("2024-02-30", NO_DAY), ("2024-13-01", NO_DAY), ("1 listopada 2024", NO),
        ("24:00", NO), ("tomorrow", NO),
        ("2024-03-01 25:00", NO_DAY), ("2024-03-01 12:00 EST", NO), ("2024-03-01 13:00 PM", NO),
        ("March 2024", DAY_MISSING),
        ("2024", DAY_MISSING), ("2024-03", DAY_MISSING), ("2024年3月", DAY_MISSING), ("13 14 March 2024", NO),
        ("令和6年3月1日", "!is a date of an era"), ("R6.3.1", "!is a date of an era"),
        ("H30.4.1", "!is a date of an era"),
        ("2567-03-01", "!has a year of another calendar, perhaps the Buddhist one"),
        ("01/03/2567", "!has a year of another"),
        ("1402/12/11", "!has a year of another calendar, perhaps the Islamic one"),
        ("1850-01-01", "!is before 1900"),
        ("2026-11-29", "!is in the future"), ("13/12/2026", "!is in the future"),
        ("2050-01-01", "!is in the future"),
        (datetime(2030, 3, 1, tzinfo=UTC), "!is in the future"),
        (datetime(1, 1, 2, tzinfo=UTC), "!is before 1900"),
        ("1234567", NUMBER), (True, "!is yes or no, not a date"), ({}, NO), (12, NUMBER), (float("inf"), NO),
        (Decimal("1E+9999"), NO),
        ("", MISSING), ("N/A", MISSING), ("0000-00-00", MISSING), ("0000-00-00 00:00:00", MISSING),
        ("00/00/0000", MISSING),
        ("1900-01-01", MISSING), ("1970-01-01T00:00:00Z", MISSING), ("01/01/1900", MISSING),
        ("9999-12-31", MISSING),
        ("31/12/9999", MISSING), ("0001-01-01", MISSING), ("0", MISSING), (0, MISSING),
        (float("nan"), MISSING), (None, MISSING),
        ("1899-12-30", MISSING), (datetime(1900, 1, 1, tzinfo=UTC), MISSING), ("不明", MISSING), ("-", MISSING),
    ],
)  # fmt: skip
def test_a_date_is_read_without_evidence(cell: object, value: object) -> None:
    (found,) = read_column(FIELD, [cell])
    if isinstance(value, str) and value.startswith("!"):
        assert isinstance(found, str)
        assert found.startswith(value)
    else:
        assert found == (datetime.fromisoformat(value) if isinstance(value, str) else value)


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["03/04/2024", "25/03/2024"], "dmy"),
        (["03/04/2024", "03/25/2024"], "mdy"),
        (["03/04/2024", "05/06/2024"], None),
        (["03/04/2024", "25/03/2024", "03/25/2024"], None),
        (["03/04/24", "31/03/24"], "dmy"),
        (["03/04/24", "03/31/24"], "mdy"),
        (["24/03/04", "24/03/31"], "ymd"),
        (["03/04/24", "25/03/24"], None),
        (["03-04-2024", "25-03-2024 12:00"], "dmy"),
        (["03/04/2024", "garbage", "2024-03-01", "25/03/2024"], "dmy"),
        (["03/04/2024", "03/12/2026"], None),
    ],
)
def test_the_order_of_day_and_month_is_decided_by_the_column(cells: list[object], order: DateOrder | None) -> None:
    found = read_column(FIELD, cells)[0]
    orders = {"dmy": date(2024, 4, 3), "mdy": date(2024, 3, 4), "ymd": date(2024, 3, 4)}
    assert (found == BOTH) if order is None else (found.date() == orders[order])


def test_an_unclear_order_is_reported_and_a_clear_one_too() -> None:
    assert "no row shows the order" in notes_of(FIELD, ["03/04/2024"])
    assert "contradict" in notes_of(FIELD, ["03/04/2024", "25/03/2024", "03/25/2024"])
    assert "read as day/month/year" in notes_of(FIELD, ["03/04/2024", "25/03/2024"])
    assert notes_of(FIELD, ["2024-03-01", "13.03.2024"]) == ""


def test_the_user_decides_the_order() -> None:
    assert read_column(FIELD, ["03/04/2024"], ValueWishes(date_order="dmy")) == [datetime(2024, 4, 3, tzinfo=UTC)]
    settings = {"observed_at.order": "mdy"}
    assert read_column(FIELD, ["03/04/2024"], ValueWishes(settings=settings)) == [datetime(2024, 3, 4, tzinfo=UTC)]
    both = ValueWishes(date_order="dmy", settings=settings)
    assert read_column(FIELD, ["03/04/2024"], both) == [datetime(2024, 4, 3, tzinfo=UTC)]


def test_a_date_in_the_future_is_not_read_in_the_other_order() -> None:
    assert read_column(FIELD, ["03/12/2026", "25/03/2024"])[0] == "!is in the future"


def test_an_instant_without_offset_is_of_the_given_zone() -> None:
    (summer, fixed) = read_column(
        FIELD, ["2024-07-01 12:00", "2024-07-01T12:00Z"], ValueWishes(timezone="Europe/Paris")
    )
    assert (summer, fixed) == (datetime(2024, 7, 1, 10, tzinfo=UTC), datetime(2024, 7, 1, 12, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../etc/passwd", "", "/"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    if zone:
        with pytest.raises(ConfigurationError, match="--timezone"):
            read_column(FIELD, ["2024-07-01"], ValueWishes(timezone=zone))
    else:
        assert read_column(FIELD, ["2024-07-01"], ValueWishes(timezone=zone)) == [datetime(2024, 7, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (["45352", "45353"], FIRST), ([45352, 45353], FIRST), (["45352.5"], "2024-03-01T12:00:00Z"),
        (["1709251200", "1709251201"], FIRST), ([1709251200000], FIRST), ([1709251200000.0, "-"], FIRST),
        (["45352", "1709251200"], None), (["45352", "12"], None), (["45352", "2024-03-02"], FIRST),
    ],
)  # fmt: skip
def test_numbers_are_dates_if_all_numbers_of_the_column_are(cells: list[object], value: str | None) -> None:
    found = read_column(FIELD, cells)[0]
    assert found.startswith(NUMBER) if value is None else found == datetime.fromisoformat(value)


def test_how_numbers_are_read_is_noted() -> None:
    assert "Excel" in notes_of(FIELD, ["45352"])
    assert "milliseconds since 1970" in notes_of(FIELD, [1709251200000])


def test_a_name_is_of_one_month_only() -> None:
    named: dict[str, set[int]] = {}
    for language, months in table("months").items():
        if language != "fillers":
            assert len(months) == 12
            for number, names in enumerate(months, start=1):
                for name in names.split():
                    named.setdefault(word_key(name), set()).add(number)
    assert {name for name, numbers in named.items() if len(numbers) > 1} == set()
    assert not named.keys() & set(map(word_key, table("months")["fillers"]))


FORMS = [
    "%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d",
    "%Y%m%d",
    "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %H:%M", "%Y年%m月%d日",
]  # fmt: skip


@given(
    st.lists(st.dates(date(1980, 1, 2), NOW.date() - timedelta(days=1)), min_size=1, max_size=20),
    st.sampled_from(FORMS),
)
def test_a_date_is_read_as_it_was_written_or_not_at_all(days: list[date], form: str) -> None:
    cells = [day.strftime(form) for day in days]
    for day, found in zip(days, read_column(FIELD, cells), strict=True):
        assert isinstance(found, str) or found.date() == day


@given(st.text(max_size=30) | st.from_regex(r"[0-9./: -]{4,20}", fullmatch=True))
def test_any_text_is_an_instant_missing_or_not_readable(text: str) -> None:
    (found,) = read_column(FIELD, [text])
    assert found is MISSING or isinstance(found, str) or found.tzinfo is UTC
