"""What `choose_columns` takes and returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from worker.contract.payloads import HospitalRecord
from worker.errors import PermanentError

Why = Literal["name", "content", "given", "profile"]

FIELDS: tuple[str, ...] = (*HospitalRecord.model_fields, "latitude", "longitude")
"""The fields that a column may be mapped to, besides `attributes.NAME`."""
ATTRIBUTE_PREFIX = "attributes."


class ColumnError(PermanentError):
    """The columns of a file cannot be mapped. The message is one line without the file's name."""

    def __init__(self, problem: str) -> None:
        super().__init__(" ".join(problem.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnWishes:
    """What the user has said about columns.

    `mapping` is that of `--map`: a field and a column, several columns joined by `+`, or nothing to leave the field
    out. `source` is that of `--source`. `keep_others` maps every other column to an attribute. `profile` has the
    columns of each field as an earlier delivery of the list was read; then nothing is looked for by name.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    keep_others: bool = False
    profile: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """A field and the columns that it is read from, and why: by name, by content, as given, or from a profile.

    `field` is one of `FIELDS` or `attributes.NAME`. Several columns are joined: by `-` for `external_id`, else by
    a blank.
    """

    field: str
    columns: tuple[str, ...]
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column is which field.

    `left_out`: the columns that no field is read from, in the file's order. `candidates`: the columns that may be
    the identifier, best first, whether or not one is used. `notes`: what a person should know, one line each.
    """

    mapped: tuple[Mapped, ...]
    left_out: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def columns_of(self, field: str) -> tuple[str, ...]:
        """Return the columns that a field is read from; empty if there is none."""
        return next((mapped.columns for mapped in self.mapped if mapped.field == field), ())

    @property
    def unused_identifier(self) -> str | None:
        """The best identifier column, if it is not used because the list has no source; else None."""
        if self.columns_of("external_id") or not self.candidates:
            return None
        return self.candidates[0]
