"""Made-up hospitals as real feeds have them: many scripts, shared names, repeats and bad rows.

Deterministic for a seed, in constant memory, and with the truth about each row, so that a load can be checked.
"""

import csv
import json
import random
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from producers.files import FileError
from producers.files.readers import FileFormat

RowKind = Literal["new", "duplicate", "bad"]
Row = dict[str, str]

COLUMNS = (
    "hospital_name",
    "hospital_type",
    "source",
    "external_id",
    "address",
    "city",
    "state",
    "postal_code",
    "county",
    "country",
    "phone",
    "ownership",
    "emergency_services",
    "beds",
    "latitude",
    "longitude",
    "observed_at",
)
_BAD_SHARE = 0.01
_DUPLICATE_SHARE = 0.03
_NAMED_ONLY_SHARE = 0.15
_SHARED_NAME_SHARE = 0.05
# Repeats come within this many rows of the first, which bounds what has to be remembered.
_REMEMBERED = 500

_SHARED_NAMES = ("MEMORIAL HOSPITAL", "Good Samaritan Hospital", "Hôpital Saint-Louis", "中央医院")
# Country, source, a pattern for the name, and places, each in its own script.
_REGIONS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("US", "state-list", "{} GENERAL HOSPITAL", ("BOAZ", "DOTHAN", "LANCASTER", "O'FALLON", "ST. CLOUD")),
    ("FR", "sante", "Hôpital de {}", ("Besançon", "Évreux", "Nîmes", "Saint-Étienne", "Orléans")),
    ("DE", "klinik-atlas", "Klinikum {}", ("Gießen", "Würzburg", "Köln-Süd", "Görlitz", "Tübingen")),
    ("RU", "reestr", "Городская больница {}", ("Казань", "Тверь", "Пермь", "Псков", "Рязань")),
    ("GR", "ygeia", "Γενικό Νοσοκομείο {}", ("Πάτρας", "Βόλου", "Χανίων", "Λάρισας", "Καβάλας")),
    ("EG", "sihha", "مستشفى {}", ("أسوان", "الجيزة", "طنطا", "المنصورة", "دمياط")),
    ("IL", "briut", "בית חולים {}", ("חיפה", "אשדוד", "נהריה", "צפת", "עפולה")),
    ("IN", "arogya", "{} जिला अस्पताल", ("नागपुर", "जयपुर", "पटना", "वाराणसी", "इंदौर")),
    ("TH", "satharanasuk", "โรงพยาบาล{}", ("เชียงใหม่", "ขอนแก่น", "ภูเก็ต", "ระยอง", "ตรัง")),
    ("CN", "weijian", "{}市人民医院", ("杭州", "成都", "西安", "厦门", "青岛")),
    ("JP", "koseikyoku", "{}総合病院", ("札幌", "金沢", "長崎", "仙台", "松山")),
    ("KR", "bogeon", "{} 병원", ("부산", "대구", "전주", "춘천", "울산")),
)
_OWNERSHIP = ("Government - Local", "Proprietary", "Voluntary non-profit - Private", "")


@dataclass(frozen=True, slots=True)
class GeneratedRow:
    """A row and the truth about it: a hospital not seen before, a repeat of one, or a row to be rejected."""

    row: Row
    kind: RowKind


@dataclass(frozen=True, slots=True)
class Truth:
    """What a load with `on_existing="keep"` into an empty registry must find: created, unchanged, rejected."""

    rows: int
    distinct: int
    duplicates: int
    bad: int


def generate_rows(count: int, seed: int) -> Iterator[Row]:
    """Yield `count` rows by column, as text; equal seeds yield equal rows."""
    for generated in generate_labelled(count, seed):
        yield generated.row


def generate_labelled(count: int, seed: int) -> Iterator[GeneratedRow]:
    """Yield the rows of `generate_rows` with the truth about each."""
    chance = random.Random(seed)
    recent: deque[Row] = deque(maxlen=_REMEMBERED)
    for serial in range(count):
        lot = chance.random()
        if lot < _BAD_SHARE:
            row = _hospital(chance, serial)
            chance.choice(_DAMAGES)(row)
            yield GeneratedRow(row, "bad")
        elif lot < _BAD_SHARE + _DUPLICATE_SHARE and recent:
            yield GeneratedRow(_respelled(chance, chance.choice(recent)), "duplicate")
        else:
            row = _hospital(chance, serial)
            recent.append(row)
            yield GeneratedRow(row, "new")


def expected_truth(count: int, seed: int) -> Truth:
    """Return the truth about the rows of `generate_rows(count, seed)`."""
    kinds = {"new": 0, "duplicate": 0, "bad": 0}
    for generated in generate_labelled(count, seed):
        kinds[generated.kind] += 1
    return Truth(count, kinds["new"], kinds["duplicate"], kinds["bad"])


def write_rows(path: Path, file_format: FileFormat, count: int, seed: int) -> None:
    """Write the rows to `path`, in UTF-8. Raises `FileError` when it cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            _WRITERS[file_format](file, generate_rows(count, seed))
    except OSError as error:
        raise FileError(path, f"cannot be written: {error.strerror}") from None


def _hospital(chance: random.Random, serial: int) -> Row:
    country, source, pattern, places = chance.choice(_REGIONS)
    place = chance.choice(places)
    name = pattern.format(place)
    named_only = chance.random() < _NAMED_ONLY_SHARE
    if named_only:
        # Such a hospital is its name: the number keeps different ones apart.
        name = f"{name} № {serial}"
    elif chance.random() < _SHARED_NAME_SHARE:
        name = chance.choice(_SHARED_NAMES)
    located = chance.random() < 0.6
    return {
        "hospital_name": name,
        "hospital_type": chance.choice(("single", "multi", "")),
        "source": "" if named_only else source,
        "external_id": "" if named_only else f"{serial:07d}",
        "address": f"{chance.randint(1, 9_999)} {chance.choice(('Main St', 'Av. 1° de Mayo', 'Ring 3, Haus B'))}",
        "city": place,
        "state": chance.choice(("AL", "NW", "")),
        "postal_code": f"{chance.randint(0, 99_999):05d}",
        "county": chance.choice(("HOUSTON", "St. Mary's", "")),
        "country": country,
        "phone": f"({chance.randint(200, 999)}) {chance.randint(200, 999)}-{chance.randint(0, 9_999):04d}",
        "ownership": chance.choice(_OWNERSHIP),
        "emergency_services": chance.choice(("Yes", "No", "yes", "Y", "")),
        "beds": chance.choice((str(chance.randint(5, 2_500)), f"{chance.randint(5, 900)}.0", "")),
        "latitude": f"{chance.uniform(-60, 70):.5f}" if located else "",
        "longitude": f"{chance.uniform(-180, 180):.5f}" if located else "",
        "observed_at": f"2025-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}T06:00:00Z",
    }


def _respelled(chance: random.Random, row: Row) -> Row:
    """Return the same hospital as another export would write it: nothing here changes its identity."""
    name = chance.choice(_SPELLINGS)(row["hospital_name"])
    return row | {"hospital_name": name}


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda name: f"  {name} ",
    lambda name: name.replace(" ", "  "),
    lambda name: unicodedata.normalize("NFD", name),
    str.upper,
)


def _nameless(row: Row) -> None:
    row["hospital_name"] = " "


def _with_control_character(row: Row) -> None:
    row["hospital_name"] = f"{row['hospital_name']}\x07 annex"


def _overlong(row: Row) -> None:
    row["address"] = "Building 7, " * 100


def _with_wordy_beds(row: Row) -> None:
    row["beds"] = "about 200"


def _with_negative_beds(row: Row) -> None:
    row["beds"] = "-4"


def _off_the_globe(row: Row) -> None:
    row["latitude"], row["longitude"] = "123.4", "10.0"


def _half_located(row: Row) -> None:
    row["latitude"], row["longitude"] = "48.85", ""


def _with_unclear_emergency(row: Row) -> None:
    row["emergency_services"] = "sometimes"


def _identified_by_nobody(row: Row) -> None:
    row["source"], row["external_id"] = "", "4711"


def _observed_some_day(row: Row) -> None:
    row["observed_at"] = "last spring"


_DAMAGES: tuple[Callable[[Row], None], ...] = (
    _nameless,
    _with_control_character,
    _overlong,
    _with_wordy_beds,
    _with_negative_beds,
    _off_the_globe,
    _half_located,
    _with_unclear_emergency,
    _identified_by_nobody,
    _observed_some_day,
)


def _write_csv(file: TextIO, rows: Iterator[Row]) -> None:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _write_ndjson(file: TextIO, rows: Iterator[Row]) -> None:
    for row in rows:
        known = {column: value for column, value in row.items() if value}
        file.write(json.dumps(known, ensure_ascii=False) + "\n")


_WRITERS: dict[FileFormat, Callable[[TextIO, Iterator[Row]], None]] = {"csv": _write_csv, "ndjson": _write_ndjson}
