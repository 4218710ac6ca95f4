"""Reads the audit log and the hospitals such that what was tampered with is read too, and told."""

from bson.codec_options import DatetimeConversion
from pymongo.read_concern import ReadConcern

from worker.mongo.client import Collection


def lenient(collection: Collection) -> Collection:
    """Return the collection such that text that is no UTF-8 and instants beyond Python's are no error to read."""
    options = collection.codec_options.with_options(
        unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_AUTO
    )
    return collection.with_options(codec_options=options)


def majority(collection: Collection) -> Collection:
    """Return the lenient collection that reads only what no failover can undo."""
    return lenient(collection).with_options(read_concern=ReadConcern("majority"))
