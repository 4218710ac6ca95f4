"""A note on positions whose document names a system of EPSG that has latitude first, as GeoJSON has not."""

from collections.abc import Mapping

from producers.files.columns import Columns
from producers.files.readers.json_documents import JsonDocumentTable
from producers.files.statistics import ColumnStatistics
from producers.files.systems import has_latitude_first
from producers.files.table import Table
from producers.files.values.coordinate_order import order_in_points, pairs_of_points


def notes_on_axes(
    table: Table, columns: Columns, statistics: Mapping[str, ColumnStatistics], settings: Mapping[str, str]
) -> list[str]:
    """Return a note if nothing in the points, nor in a profile, says which of their coordinates comes first.

    GDAL and GeoServer name that system and write longitude first, so the points are read like any others.
    """
    if not isinstance(table, JsonDocumentTable) or not has_latitude_first(table.shape.crs):
        return []
    if "location.points" in settings:
        return []
    sample = [cell for column in columns.columns_of("location") for cell in statistics[column].sample]
    countries = {str(cell) for column in columns.columns_of("country") for cell in statistics[column].sample}
    if not pairs_of_points(sample) or order_in_points(sample, countries):
        return []
    crs = table.shape.crs
    note = (
        f"location: the document names {crs}, which has latitude first, but is read with longitude first, as "
        "GeoJSON has it; check a position, and if the two are swapped, turn them round in the file"
    )
    return [note]
