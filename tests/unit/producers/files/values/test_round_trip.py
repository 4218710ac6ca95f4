"""A record that is written as some list in the world may write it is read as it was, or its fields are reported."""

from datetime import date
from html import escape
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from producers.files.rows.phrases import is_total_word
from producers.files.values.words import table
from tests.support.columns import NOW, read_rows
from worker.contract.placeholders import placeholder_kind

FIELDS: dict[str, str | tuple[str, ...]] = {
    name: name
    for name in (
        "hospital_name", "city", "postal_code", "phone", "beds", "emergency_services", "observed_at",
        "latitude", "longitude",
    )
}  # fmt: skip
SETTLED = ("hospital_name", "city", "postal_code")

WORDS = st.text(st.characters(categories=["Lu", "Ll", "Lo"]), min_size=3, max_size=12).filter(
    lambda text: placeholder_kind(text) is None and text.isprintable() and text == text.strip()
)
NAMES = (
    st.lists(WORDS, min_size=1, max_size=4)
    .map(" ".join)
    .filter(lambda text: placeholder_kind(text) is None and not is_total_word(text))
)
RECORD = st.fixed_dictionaries(
    {
        "hospital_name": NAMES,
        "city": WORDS,
        "postal_code": st.integers(1, 999_999).map(str),
        "phone": st.from_regex(r"[1-9][0-9]{2}[- ][0-9]{3}[- ][0-9]{4}", fullmatch=True),
        "beds": st.integers(0, 9_998),
        "emergency_services": st.booleans(),
        "observed_at": st.dates(date(1990, 1, 1), NOW.date()),
        "latitude": st.floats(-89, 89).map(lambda it: round(it, 6)),
        "longitude": st.floats(-179, 179).map(lambda it: round(it, 6)),
    }
)  # fmt: skip


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    thousands, decimal = draw(
        st.sampled_from([("", "."), ("", ","), (",", "."), (".", ","), (" ", ","), ("'", ".")])
    )
    pairs = [
        ("Yes", "No"), ("Y", "N"), ("1", "0"), ("SI", "NO"), ("S", "N"), ("oui", "non"), ("J", "N"), ("Tak", "Nie"),
        ("есть", "нет"), ("○", "\N{MULTIPLICATION SIGN}"), ("有", "無"), ("x", ""), ("예", "아니오"), ("نعم", "لا"),
        ("true", "false"),
    ]  # fmt: skip
    return {
        "thousands": thousands,
        "decimal": decimal,
        "answers": draw(st.sampled_from(pairs)),
        "date": draw(
            st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%y", "%Y%m%d", "month"])
        ),
        "months": draw(st.sampled_from(sorted(table("months").keys() - {"fillers"}))),
        "missing": draw(
            st.sampled_from(["", "NA", "N/A", "-", "不明", "sin dato", "NULL", "-999", "немає", "None"])
        ),
        "digits": draw(st.sampled_from(["0123456789", "٠١٢٣٤٥٦٧٨٩"])),
        "float": draw(st.booleans()),
        "html": draw(st.booleans()),
        "blank": draw(st.sampled_from([" ", "\xa0", "\n", "\r\n", "  ", "<br>"])),
    }


def written(record: dict[str, Any], dialect: dict[str, Any]) -> dict[str, object]:
    """Return the cells of a record, as a list in this dialect has them."""
    day = record["observed_at"]
    cells = {
        "hospital_name": escape(record["hospital_name"]) if dialect["html"] else record["hospital_name"],
        "city": f" {record['city']} ",
        "postal_code": f"{record['postal_code']}.0" if dialect["float"] else record["postal_code"],
        "phone": record["phone"],
        "beds": f"{record['beds']:,}".replace(",", dialect["thousands"]).translate(
            str.maketrans("0123456789", dialect["digits"])
        ),
        "emergency_services": dialect["answers"][not record["emergency_services"]],
        "observed_at": f"{day.day} {month_of(dialect['months'], day.month)} {day.year}"
        if dialect["date"] == "month"
        else day.strftime(dialect["date"]),
        "latitude": f"{record['latitude']:.6f}".replace(".", dialect["decimal"]),
        "longitude": f"{record['longitude']:.6f}".replace(".", dialect["decimal"]),
    }
    cells["hospital_name"] = cells["hospital_name"].replace(" ", dialect["blank"])
    return cells


def month_of(language: str, month: int) -> str:
    return (table("months")[language][month - 1].split() or ["?"])[0]


@given(st.lists(RECORD, min_size=1, max_size=8), dialects(), st.data())
@settings(max_examples=300, deadline=None)
def test_no_field_is_read_as_another_value(
    records: list[dict[str, Any]], dialect: dict[str, Any], data: st.DataObject
) -> None:
    rows = []
    for record in records:
        cells = written(record, dialect)
        for name in data.draw(st.sets(st.sampled_from(sorted(FIELDS.keys() - {"hospital_name"})), max_size=2)):
            cells[name] = dialect["missing"]
            record[name] = None
        rows.append(cells)
    for record, cells, row in zip(records, rows, read_rows(FIELDS, rows), strict=True):
        assert row.record is not None, (cells, row.reasons)
        reported = {it.field for it in row.left_out}
        position = row.record.location.coordinates if row.record.location else (None, None)
        found = {**row.record.model_dump(), "longitude": position[0], "latitude": position[1]}
        if found["observed_at"] is not None:
            found["observed_at"] = found["observed_at"].date()
        if dialect["answers"][1] == "" and record["emergency_services"] is False:
            record["emergency_services"] = None
        if (
            dialect["missing"] == "немає"
            and record["emergency_services"] is None
            and found["emergency_services"] is False
        ):
            # In a field of yes and no, "there is none" is an answer.
            found["emergency_services"] = None
        if "location" in reported or record["latitude"] is None or record["longitude"] is None:
            record["latitude"] = record["longitude"] = None
        for name in FIELDS:
            assert found[name] == record[name] or name in reported, (name, cells[name], found[name], reported)
        assert reported.isdisjoint(SETTLED)
