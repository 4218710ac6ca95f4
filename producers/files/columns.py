"""Which column of a file holds which field of a record."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from producers.files.errors import FileError
from producers.files.values import CONVERTERS, Converter
from worker.contract import HospitalRecord

# In order of precedence, compared without case, spaces and punctuation. Among them are the names in the
# "Hospital General Information" list of the US Centers for Medicare & Medicaid Services (CMS).
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
# Under these names other lists keep other things: CMS's "Hospital Type" says "Acute Care Hospitals".
_EXACT_NAMES = ("hospital_type", "location", "attributes")
# JSON objects, which a cell cannot hold.
_NESTED = ("location", "attributes")
TARGETS = (*HospitalRecord.model_fields, "latitude", "longitude")
_MOST_COLUMNS = 10_000


class Columns:
    """The mapping from a file's columns to record fields, which grows with the columns that are seen.

    `mapping` (field to column) comes before the well-known names. `source` is one for all rows: a column of
    that name is then left out. An identifier means nothing without its source, so it is used only when there
    is one. `nested` says that values may be JSON objects.
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
        """The fields that are the same in every row."""
        return self._given

    @property
    def left_out(self) -> list[str]:
        """The columns that no field is taken from."""
        used = set(self._targets.values())
        return [column for column in self._seen if column not in used]

    @property
    def unused_identifier(self) -> str | None:
        """The column of the identifier that is left out for want of a source."""
        if "external_id" in self._targets or "source" in self._given or "source" in self._targets:
            return None
        return _well_known("external_id", self._seen)

    def begin(self, names: Sequence[str]) -> None:
        """Learn the first columns, and check that they and the mapping asked for fit each other.

        Raises `FileError` that lists what exists.
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
                "has no column for the hospital's name; name it with "
                f'--map hospital_name="COLUMN"; its columns are {_listed(names)}',
            )

    def learn(self, names: Iterable[str]) -> None:
        """Take in columns not seen before; a field that has its column keeps it."""
        # Rows of JSON can bring new names without end; memory and patience have one.
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
        """Return whether a row has columns that were not seen before and can still be learned."""
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
