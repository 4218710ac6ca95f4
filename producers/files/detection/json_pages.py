"""Notices that a JSON document is one page of a longer list, as interfaces of data portals answer."""

from collections.abc import Sequence

_DEEPEST = 4
# What these say is the number of records in all; the others may be any sum, unless the document speaks of pages.
_TOTALS = frozenset(
    (
        "odatacount",
        "numfound",
        "nummatched",
        "totalfeatures",
        "totalcount",
        "totalresults",
        "totalrecords",
        "totalhits",
        "numbermatched",
        "totalelements",
        "totalitems",
        "totalrows",
        "nbhits",
        "found",
    )
)
_SUMS = frozenset(("count", "total"))
_NEXT = frozenset(
    ("next", "nextlink", "odatanextlink", "nextpage", "nextpageurl", "nexturl", "nexthref", "nextpagetoken")
)
_OF_PAGES = frozenset(
    ("previous", "limit", "offset", "page", "pages", "perpage", "pagesize", "skip", "lastpage", "totalpages")
)
# What says that there are more records, and how the note calls it.
_CUT_OFF = frozenset(("exceededtransferlimit", "hasnextpage", "hasmore"))
# Where Elasticsearch says how many hits there are, and under which keys DynamoDB goes on.
_HITS = (["hits", "total"], ["hits", "total", "value"])
_LAST_KEY = "LastEvaluatedKey"


class Pages:
    """What a document says of its pages, outside of its records."""

    def __init__(self) -> None:
        self._totals: list[int] = []
        self._sums: list[int] = []
        self._has_next = False
        self._is_paged = False
        self._cut_off = ""

    def take(self, where: Sequence[str], value: object) -> None:
        """Take the value at a place in the document: the keys above it and its own."""
        if not 0 < len(where) <= _DEEPEST or "[]" in where:
            return
        key = _plain(where[-1])
        if key == "href" and len(where) > 1:
            key = _plain(where[-2])
        if key in _CUT_OFF:
            self._cut_off = where[-1] if value is True else self._cut_off
        elif _LAST_KEY in where:
            self._cut_off = _LAST_KEY
        elif key in _NEXT:
            self._is_paged = True
            self._has_next = self._has_next or (isinstance(value, str) and value != "")
        elif key in _OF_PAGES:
            self._is_paged = True
            # Airtable calls the key of the next page an offset.
            self._has_next = self._has_next or (key == "offset" and isinstance(value, str) and not value.isdigit())
        elif isinstance(value, int) and not isinstance(value, bool):
            is_total = key in _TOTALS or where in _HITS
            (self._totals if is_total else self._sums if key in _SUMS else []).append(value)

    def note(self, records: int) -> str:
        """Return what a person should know if the document has only some records; it has this many."""
        total = max([*self._totals, *(self._sums if self._is_paged else ())], default=0)
        if total > records:
            of = f"it says that there are {total:,} records, and has {records:,}"
        elif self._has_next:
            of = f"it has {records:,} records, and names a next page"
        elif self._cut_off:
            of = f"it has {records:,} records, and says that there are more ({self._cut_off})"
        else:
            return ""
        return f"{of}: it is one page of a longer list; fetch all pages, and load each of them"


def _plain(key: str) -> str:
    return "".join(filter(str.isalnum, key)).lower()
