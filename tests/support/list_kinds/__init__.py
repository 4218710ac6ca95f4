"""One small list for each kind of fault that published lists of hospitals have, with what is right.

The lists are written here: their hospitals and places do not exist.
"""

from tests.support.list_kinds.dates import DATES
from tests.support.list_kinds.documents import DOCUMENTS
from tests.support.list_kinds.encodings import ENCODINGS
from tests.support.list_kinds.identifiers import IDENTIFIERS
from tests.support.list_kinds.identity import IDENTITY
from tests.support.list_kinds.model import Kind, Row
from tests.support.list_kinds.no_hospitals import NO_HOSPITALS
from tests.support.list_kinds.tables import TABLES
from tests.support.list_kinds.values import VALUES

__all__ = ("KINDS", "Kind", "Row")

KINDS: tuple[Kind, ...] = tuple(
    sorted(
        (*ENCODINGS, *IDENTITY, *IDENTIFIERS, *VALUES, *DATES, *TABLES, *DOCUMENTS, *NO_HOSPITALS),
        key=lambda kind: kind.name,
    )
)
