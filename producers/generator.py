"""Generates hospitals like those in real feeds: many scripts, shared names, duplicates and invalid rows.

The rows are deterministic for a seed and need constant memory. Each row is labelled with what an import must make
of it, so that the result can be verified.
"""

import csv
import json
import random
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from producers.files import FileError

SampleFormat = Literal["csv", "ndjson"]
RowKind = Literal["created", "same", "kept", "rejected"]
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
# A duplicate comes within this many rows of its original, which limits the rows that must be remembered.
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
    """A row and what becomes of it in an empty registry with `on_existing="keep"`.

    `created`: a hospital not seen before, perhaps with cells that cannot be read. `same`: an exact repetition of
    one. `kept`: a repetition that spells the name otherwise. `rejected`: a row without a name or identity.
    """

    row: Row
    kind: RowKind


@dataclass(frozen=True, slots=True)
class Truth:
    """The counts that an import into an empty registry with `on_existing="keep"` must report."""

    rows: int
    created: int
    same: int
    kept: int
    rejected: int


def generate_rows(count: int, seed: int) -> Iterator[Row]:
    """Yield `count` rows by column, as text. The same seed yields the same rows."""
    for generated in generate_labelled(count, seed):
        yield generated.row


def generate_labelled(count: int, seed: int) -> Iterator[GeneratedRow]:
    """Yield the rows of `generate_rows`, each with its kind."""
    chance = random.Random(seed)
    recent: deque[Row] = deque(maxlen=_REMEMBERED)
    for serial in range(count):
        draw = chance.random()
        if draw < _BAD_SHARE:
            row = _hospital(chance, serial)
            defect = chance.choice(_DEFECTS)
            defect(row)
            yield GeneratedRow(row, "rejected" if defect in _REJECTED else "created")
        elif draw < _BAD_SHARE + _DUPLICATE_SHARE and recent:
            original = chance.choice(recent)
            row = _respelled(chance, original)
            spelled = [_read_name(it["hospital_name"]) for it in (original, row)]
            yield GeneratedRow(row, "same" if spelled[0] == spelled[1] else "kept")
        else:
            row = _hospital(chance, serial)
            recent.append(row)
            yield GeneratedRow(row, "created")


def expected_truth(count: int, seed: int) -> Truth:
    """Return the counts for the rows of `generate_rows(count, seed)`."""
    kinds = Counter(generated.kind for generated in generate_labelled(count, seed))
    return Truth(count, kinds["created"], kinds["same"], kinds["kept"], kinds["rejected"])


def write_rows(path: Path, file_format: SampleFormat, count: int, seed: int) -> None:
    """Write the rows to `path`, in UTF-8. Raises `FileError` if it cannot be written."""
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
        # The name is the identity of this hospital, so the number makes it unique.
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
    """Return the same hospital as another export may spell it. No spelling changes its identity."""
    name = chance.choice(_SPELLINGS)(row["hospital_name"])
    return row | {"hospital_name": name}


def _read_name(name: str) -> str:
    """Return a name as it is stored: white space makes no difference."""
    return " ".join(name.split())


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


def _with_overlong_address(row: Row) -> None:
    row["address"] = "Building 7, " * 100


def _with_beds_in_words(row: Row) -> None:
    row["beds"] = "about 200"


def _with_negative_beds(row: Row) -> None:
    row["beds"] = "-4"


def _with_impossible_latitude(row: Row) -> None:
    row["latitude"], row["longitude"] = "123.4", "10.0"


def _without_longitude(row: Row) -> None:
    row["latitude"], row["longitude"] = "48.85", ""


def _with_unclear_emergency(row: Row) -> None:
    row["emergency_services"] = "sometimes"


def _with_identifier_but_no_source(row: Row) -> None:
    row["source"], row["external_id"] = "", "4711"


def _with_unclear_instant(row: Row) -> None:
    row["observed_at"] = "last spring"


_DEFECTS: tuple[Callable[[Row], None], ...] = (
    _nameless,
    _with_control_character,
    _with_overlong_address,
    _with_beds_in_words,
    _with_negative_beds,
    _with_impossible_latitude,
    _without_longitude,
    _with_unclear_emergency,
    _with_identifier_but_no_source,
    _with_unclear_instant,
)


# Any other defect is in an optional cell, which is left out.
_REJECTED = (_nameless, _with_identifier_but_no_source)


def _write_csv(file: TextIO, rows: Iterator[Row]) -> None:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _write_ndjson(file: TextIO, rows: Iterator[Row]) -> None:
    for row in rows:
        known = {column: value for column, value in row.items() if value}
        file.write(json.dumps(known, ensure_ascii=False) + "\n")


_WRITERS: dict[SampleFormat, Callable[[TextIO, Iterator[Row]], None]] = {"csv": _write_csv, "ndjson": _write_ndjson}
