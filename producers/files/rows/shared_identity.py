"""Notes on rows that share an identifier and differ in beds: each may be a department, not the hospital."""

from collections.abc import Mapping

from producers.files.columns import Columns
from producers.files.columns.mapping import option
from producers.files.statistics import ColumnStatistics

# About 20 MB; later hospitals are not looked at.
_MOST_HOSPITALS = 100_000


class BedsOfHospitals:
    """Compares the beds of rows that share an identifier, if the statistics say that rows do."""

    def __init__(self, columns: Columns, statistics: Mapping[str, ColumnStatistics]) -> None:
        self._field = next((it for it in ("external_id", "local_id") if columns.columns_of(it)), "")
        identifier = columns.columns_of(self._field)
        known = statistics.get(identifier[0]) if len(identifier) == 1 else None
        self._column = identifier[0] if identifier else ""
        self._is_needed = known is not None and known.unique is False and bool(columns.columns_of("beds"))
        self._beds: dict[object, object] = {}
        self._different: dict[object, object] = {}

    def take_in(self, known: Mapping[str, object] | None) -> None:
        """Take the values of one row."""
        if not self._is_needed or known is None or "beds" not in known or self._field not in known:
            return
        identifier, beds = known[self._field], known["beds"]
        if identifier in self._beds:
            if self._beds[identifier] != beds:
                self._different.setdefault(identifier, beds)
        elif len(self._beds) < _MOST_HOSPITALS:
            self._beds[identifier] = beds

    def notes(self) -> list[str]:
        """Return what a person should know: one sentence if rows differ."""
        if not self._different:
            return []
        identifier, beds = next(iter(self._different.items()))
        # Without a source, such rows are one hospital only if name and place are the same, too.
        consequence = (
            ", so those of one row are taken for those of the hospital" if self._field == "external_id" else ""
        )
        first = f"{identifier} has {self._beds[identifier]} and {beds}"
        return [
            (
                f"rows that share one {self._column} differ in beds (hospitals: {len(self._different):,}; "
                f"first: {first}){consequence}; if a row is a department or a year: {option('beds', '')}"
            )
        ]
