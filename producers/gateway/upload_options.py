"""How an uploaded list is to be read: the options of `hospital-producer ingest`, by the same names."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from producers.file_options import file_wishes
from producers.files import FileWishes
from producers.files.table import FileFormat
from producers.files.values import DateOrder
from worker.contract import OnExisting
from worker.contract.fields import Source


class UploadOptions(BaseModel):
    """The query of an upload. What is left out is detected. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[
        str | None, Field(max_length=200, description="the file's name, unless Content-Disposition has it")
    ] = None
    on_existing: OnExisting = "keep"
    source: Annotated[Source | None, Field(description="source of the list, such as cms")] = None
    map: Annotated[
        list[str], Field(max_length=200, description="FIELD=COLUMN: read FIELD from COLUMN; repeatable")
    ] = []
    keep_others: bool = False
    format: FileFormat | None = None
    encoding: Annotated[str | None, Field(max_length=50)] = None
    delimiter: Annotated[str | None, Field(max_length=10)] = None
    skip_rows: Annotated[int | None, Field(ge=0)] = None
    header: bool | None = None
    sheet: Annotated[str | None, Field(max_length=200)] = None
    records: Annotated[str | None, Field(max_length=1_000)] = None
    date_order: DateOrder | None = None
    timezone: Annotated[str | None, Field(max_length=100)] = None
    strict: bool = False

    def wishes(self) -> FileWishes:
        """Return them as the reader of files takes them. Raises `TyperException` for an invalid `map`."""
        given = self.model_dump(exclude={"name", "on_existing", "map", "format"})
        return file_wishes(**given, mapping=self.map, file_format=self.format)
