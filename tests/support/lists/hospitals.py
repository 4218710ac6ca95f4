"""Makes up hospitals of a language: what is true of them, before any list has written it down."""

import tomllib
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

Facts = dict[str, Any]
"""What is true of one hospital, by field; None if it is not known. A position is `latitude` and `longitude`."""

_FIRST_DAY, _DAYS = date(2001, 1, 1), 9_000
_CODES = ("H{:04}", "{}", "{:03}-AB", "ZZ{:05}X")
_PHONES = ("+{a} {b} {c}", "({a}) {b}-{c}", "{a}/{b}{c}", "{a}{b}{c}", "0{a}.{b}.{c}")
_POSTAL_CODES = ("{:05}", "{:06}", "{:04}", "NW{:03} 4XX")


@dataclass(frozen=True, kw_only=True)
class Language:
    """The words of one language; `languages.toml` says what they are."""

    kinds: list[str]
    proper: list[str]
    cities: list[str]
    streets: list[str]
    states: list[str]
    owners: list[str]
    answers: list[tuple[str, str]]
    missing: list[str]
    columns: dict[str, list[str]]
    encodings: list[str]
    months: list[str] = field(default_factory=list)
    joined: bool = False


@cache
def languages() -> dict[str, Language]:
    """Return all languages by their English names."""
    tables = tomllib.loads(Path(__file__).with_name("languages.toml").read_text("utf-8"))
    return {name: Language(**table) for name, table in tables.items()}


def made_up(language: Language, count: int, random: Random) -> list[Facts]:
    """Return so many hospitals, all of which know everything. No two have the same `external_id`."""
    latitude, longitude = random.uniform(-50, 60), random.uniform(-170, 170)
    code, phone, postal_code = random.choice(_CODES), random.choice(_PHONES), random.choice(_POSTAL_CODES)
    numbers = random.sample(range(1_000, 1_000 + 10 * count), count)
    between = "" if language.joined else " "

    def one(number: int) -> Facts:
        kind, proper, street = map(random.choice, (language.kinds, language.proper, language.streets))
        parts = (proper, kind) if language.joined or random.random() < 0.2 else (kind, proper)
        return {
            "hospital_name": between.join(parts),
            "address": f"{street}{between}{random.randrange(1, 300)}",
            "city": random.choice(language.cities),
            "state": random.choice(language.states),
            "county": random.choice(language.cities),
            "postal_code": postal_code.format(random.randrange(100, 9_999)),
            "phone": phone.format(
                a=random.randrange(20, 99), b=random.randrange(200, 999), c=random.randrange(1_000, 9_999)
            ),
            "ownership": random.choice(language.owners),
            "emergency_services": random.random() < 0.5,
            "beds": random.randrange(0, 90) if random.random() < 0.7 else random.randrange(100, 3_000),
            "latitude": round(latitude + random.uniform(-3, 3), 5),
            "longitude": round(longitude + random.uniform(-3, 3), 5),
            "external_id": code.format(number),
            "observed_at": _FIRST_DAY + timedelta(days=random.randrange(_DAYS)),
        }

    return [one(number) for number in numbers]
