"""Maps the columns of a file to the fields of a record."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from producers.files.errors import FileError
from producers.files.values import CONVERTERS, Converter
from worker.contract import HospitalRecord

# Column names for each field, in order of precedence, compared without case, spaces and punctuation. They include
# those of the "Hospital General Information" list of the US Centers for Medicare & Medicaid Services (CMS).
_KNOWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "hospital_name": ("hospital name", "facility name", "hospital", "facility", "name"),
    "source": ("source",),
    "external_id": (
        "external id", "facility id", "hospital id", "provider id", "provider number", "ccn",
    ),
    "address": ("address", "street address", "address line 1", "street"),
    "city": ("city", "city/town", "town"),
    "state": ("state", "province", "region"),
    "postal_code": ("postal code", "zip code", "zip", "postcode"),
    "county": ("county", "county/parish", "county name", "parish"),
    "country": ("country", "country code"),
    "phone": ("phone", "telephone number", "phone number", "telephone"),
    "ownership": ("ownership", "hospital ownership"),
    "emergency_services": ("emergency services", "emergency"),
    "beds": ("beds", "bed count", "number of beds"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
    "observed_at": ("observed at", "last updated", "updated at"),
}  # fmt: skip
# These must match exactly, because other lists have similar columns with other content: CMS's "Hospital Type"
# contains "Acute Care Hospitals".
_EXACT_NAMES = ("hospital_type", "location", "attributes")
# JSON objects, which a CSV cell cannot contain.
_NESTED = ("location", "attributes")
TARGETS = (*HospitalRecord.model_fields, "latitude", "longitude")
_MOST_COLUMNS = 10_000


class Columns:
    """The mapping from a file's columns to record fields. It grows when new columns are seen.

    `mapping` (field to column) takes precedence over the well-known names. `source` applies to all rows; a column
    named `source` is then not used. An identifier has no meaning without its source, so it is used only if there is
    a source. `nested` says that values may be JSON objects.
    """

    def __init__(self, path: Path, *, mapping: Mapping[str, str], source: str | None, nested: bool = False) -> None:
        self._path = path
        self._possible = tuple(target for target in TARGETS if nested or target not in _NESTED)
        self._wanted = dict(mapping)
        self._given = {} if source is None else {"source": source}
        self._seen: dict[str, None] = {}
        self._targets: dict[str, str] = {}
        self.plan: tuple[tuple[str, str, Converter | None], ...] = ()

    @property
    def constants(self) -> Mapping[str, str]:
        """The fields that have the same value in every row."""
        return self._given

    @property
    def left_out(self) -> list[str]:
        """The columns that are not used for any field."""
        used = set(self._targets.values())
        return [column for column in self._seen if column not in used]

    @property
    def unused_identifier(self) -> str | None:
        """The identifier column that is not used because there is no source; None if there is no such column."""
        if "external_id" in self._targets or "source" in self._given or "source" in self._targets:
            return None
        return _well_known("external_id", self._seen)

    def begin(self, names: Sequence[str]) -> None:
        """Learn the first columns and check the requested mapping against them.

        Raises `FileError`, which lists the existing fields or columns, if the mapping names one that does not exist
        or if no column has the hospital's name.
        """
        for target, column in self._wanted.items():
            if target not in self._possible:
                raise FileError(
                    self._path,
                    f"--map names the unknown field {target!r}; fields are {', '.join(self._possible)}",
                )
            found = column if column in names else _same_name((column,), names)
            if found is None:
                raise FileError(self._path, f"has no column {column!r} for --map; its columns are {_listed(names)}")
            self._targets[target] = found
        self.learn(names)
        if "hospital_name" not in self._targets:
            raise FileError(
                self._path,
                "has no column for the hospital's name; choose it with "
                f'--map hospital_name="COLUMN"; its columns are {_listed(names)}',
            )

    def learn(self, names: Iterable[str]) -> None:
        """Add columns that were not seen before. A field that already has a column keeps it."""
        # JSON rows can bring an unlimited number of new names; this limits memory and time.
        room = _MOST_COLUMNS - len(self._seen)
        fresh = list(islice((name for name in names if name not in self._seen), room))
        self._seen.update(dict.fromkeys(fresh))
        used = set(self._targets.values())
        free = [name for name in fresh if name not in used]
        for target in self._possible:
            if target in self._targets or target in self._given:
                continue
            if target == "external_id" and "source" not in self._given and "source" not in self._targets:
                continue
            column = _well_known(target, free)
            if column is not None:
                self._targets[target] = column
        self.plan = tuple((column, target, CONVERTERS.get(target)) for target, column in self._targets.items())

    def unknown(self, row: Mapping[str, object]) -> bool:
        """Return whether a row has new columns and there is room to learn more."""
        return len(self._seen) < _MOST_COLUMNS and not self._seen.keys() >= row.keys()


def _well_known(target: str, names: Iterable[str]) -> str | None:
    if target in _EXACT_NAMES:
        return target if target in names else None
    return _same_name(_KNOWN_NAMES[target], names)


def _same_name(candidates: Iterable[str], names: Iterable[str]) -> str | None:
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(_folded(name), name)
    return next((folded[key] for key in map(_folded, candidates) if key in folded), None)


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:40])
    return f"{shown} and {len(names) - 40} more" if len(names) > 40 else shown
