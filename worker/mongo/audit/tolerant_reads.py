"""Reads the audit log and the hospitals without failing on damaged documents, so that a check can report them."""

from bson.codec_options import DatetimeConversion
from pymongo.read_concern import ReadConcern

from worker.mongo.client import Collection


def lenient(collection: Collection) -> Collection:
    """Return the collection, set to read invalid UTF-8 and instants beyond Python's range without error."""
    options = collection.codec_options.with_options(
        unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_AUTO
    )
    return collection.with_options(codec_options=options)


def majority(collection: Collection) -> Collection:
    """Return the lenient collection with majority read concern: no failover can undo what it reads."""
    return lenient(collection).with_options(read_concern=ReadConcern("majority"))
