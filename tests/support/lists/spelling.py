"""How a list spells what it knows: numbers, dates, answers, and words for "not known"."""

from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.support.lists.hospitals import Facts, Language, languages

_SIGNS = [("", "."), ("", ","), (",", "."), (".", ","), (" ", ","), ("'", "."), ("\u00a0", ",")]
_DATES = [
    "{d:02}/{m:02}/{y}", "{m:02}/{d:02}/{y}", "{y}-{m:02}-{d:02}", "{d}.{m}.{y}", "{y}/{m}/{d}", "{y}{m:02}{d:02}",
    "{y}-{m:02}-{d:02}T00:00:00Z", "{d:02}/{m:02}/{yy:02}", "{d} {month} {y}", "{y}年{m}月{d}日",
    "{y}년 {m}월 {d}일", "{d:02}-{m:02}-{y}",
]  # fmt: skip
_PAIRS = ["{lat}, {lon}", "{lat},{lon}", "POINT({lon} {lat})", "({lat}, {lon})"]
_COMMA_PAIRS = ["{lat}; {lon}", "{lat} / {lon}"]


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """The customs of one list. `missing` are the words for "not known", of which each cell has one by chance."""

    thousands: str
    decimal: str
    date: str
    months: list[str]
    answers: tuple[str, str]
    missing: list[str]
    pair: str
    line_break: str
    """Stands for the first blank of an address, by chance; " " if the list has no line breaks in cells."""

    def cell(self, name: str, facts: Facts, random: Random) -> str:
        """Return the text that the list has for a field of a hospital."""
        if name == "location":
            values = {"lat": self._degrees(facts["latitude"]), "lon": self._degrees(facts["longitude"])}
            return random.choice(self.missing) if "" in values.values() else self.pair.format(**values)
        value = facts[name]
        if value is None:
            text = random.choice(self.missing)
        elif name == "emergency_services":
            text = self.answers[not value]
        elif name == "beds":
            text = f"{value:,}".replace(",", self.thousands)
        elif name in ("latitude", "longitude"):
            text = self._degrees(value)
        elif name == "observed_at":
            month = self.months[value.month - 1]
            text = self.date.format(y=value.year, m=value.month, d=value.day, yy=value.year % 100, month=month)
        elif name == "address":
            text = str(value).replace(" ", random.choice((" ", self.line_break)), 1)
        else:
            text = str(value)
        return text

    def _degrees(self, degrees: float | None) -> str:
        return "" if degrees is None else f"{degrees:.5f}".replace(".", self.decimal)


def native(name: str, facts: Facts) -> Any:
    """Return the value of a field as a program writes it into JSON or a workbook."""
    if name == "location":
        known = facts["latitude"] is not None
        return {"lat": facts["latitude"], "lon": facts["longitude"]} if known else None
    return facts[name]


@st.composite
def spellings(draw: st.DrawFn, language: Language) -> Spelling:
    """Draw the customs of a list in this language; some are of another one, or of programs."""
    other = languages()[draw(st.sampled_from(sorted(languages())))]
    english = languages()["English"]
    thousands, decimal = draw(st.sampled_from(_SIGNS))
    words = [
        draw(st.sampled_from(it.missing)) for it in (language, draw(st.sampled_from([language, other, english])))
    ]
    months = next(it.months for it in (draw(st.sampled_from([language, english])), english) if it.months)
    return Spelling(
        thousands=thousands,
        decimal=decimal,
        date=draw(st.sampled_from(_DATES)),
        months=months,
        answers=draw(st.sampled_from(draw(st.sampled_from([language, language, english, other])).answers)),
        missing=draw(st.sampled_from([[""], words[:1], ["", *words], ["", "NULL"], ["-", "", "N/A"]])),
        pair=draw(st.sampled_from(_COMMA_PAIRS if decimal == "," else _PAIRS)),
        line_break=draw(st.sampled_from([" ", " ", "\n", "\r\n", " \n "])),
    )
