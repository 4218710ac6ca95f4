"""Translates `pymongo` errors into errors of this service, which decide whether and when a job is retried.

No other module does so. The original error is never chained, because errors raised here are logged and stored, and
MongoDB repeats values of the document in its messages (the duplicate key, the property that failed validation).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)

from worker.errors import (
    ConflictError,
    OperationRefused,
    OutageError,
    PermanentError,
    RegistryError,
    TransientError,
)

TRANSIENT_TRANSACTION = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
DUPLICATE_KEY = 11000

# Source of names and numbers: src/mongo/base/error_codes.yml of MongoDB. Numbers of five digits that have no name
# there are assertion ids that servers still return.
_OUTAGE = {
    6: "HostUnreachable",
    7: "HostNotFound",
    64: "WriteConcernTimeout",
    79: "UnknownReplWriteConcern",
    89: "NetworkTimeout",
    91: "ShutdownInProgress",
    100: "UnsatisfiableWriteConcern",
    133: "FailedToSatisfyReadPreference",
    134: "ReadConcernMajorityNotAvailableYet",
    189: "PrimarySteppedDown",
    # An operator moves the database to another cluster, or its provider makes room on its disk.
    371: "UserWritesBlocked",
    9001: "SocketException",
    10058: "LegacyNotPrimary",
    10107: "NotWritablePrimary",
    11600: "InterruptedAtShutdown",
    11602: "InterruptedDueToReplStateChange",
    13435: "NotPrimaryNoSecondaryOk",
    13436: "NotPrimaryOrSecondary",
    14031: "OutOfDiskSpace",
}
_TRANSIENT = {
    24: "LockTimeout",
    43: "CursorNotFound",
    46: "LockBusy",
    50: "MaxTimeMSExpired",
    82: "NoProgressMade",
    83: "RemoteResultsUnavailable",
    146: "ExceededMemoryLimit",
    202: "NetworkInterfaceExceededTimeLimit",
    237: "CursorKilled",
    239: "SnapshotTooOld",
    246: "SnapshotUnavailable",
    251: "NoSuchTransaction",
    262: "ExceededTimeLimit",
    290: "TransactionExceededLifetimeLimitSeconds",
    365: "TemporarilyUnavailable",
    11601: "Interrupted",
    13388: "StaleConfig",
}
_CONFLICT = {112: "WriteConflict", DUPLICATE_KEY: "DuplicateKey"}
_PERMANENT = {
    2: "BadValue",
    9: "FailedToParse",
    14: "TypeMismatch",
    40: "ConflictingUpdateOperators",
    52: "DollarPrefixedFieldName",
    56: "EmptyFieldName",
    57: "DottedFieldName",
    72: "InvalidOptions",
    # The schema and this version of the worker agree at the start, so it is the document that is refused.
    121: "DocumentValidationFailure",
    10334: "BSONObjectTooLarge",
    17280: "KeyTooLong",
    17419: "document too large after an update",
    17420: "document too large after an insert",
}
# What worked at the start and is refused since. An operator must change something; other operations may still work.
_REFUSED = {
    11: "UserNotFound",
    13: "Unauthorized",
    18: "AuthenticationFailed",
    20: "IllegalOperation",
    26: "NamespaceNotFound",
    31: "RoleNotFound",
    59: "CommandNotFound",
    73: "InvalidNamespace",
    115: "CommandNotSupported",
    166: "CommandNotSupportedOnView",
    263: "OperationNotSupportedInTransaction",
    322: "APIVersionError",
    323: "APIStrictError",
    8000: "AtlasError",
}
# On what an overloaded server refuses, whatever the code (specification "Client Backpressure" of the drivers).
_OVERLOADED = "SystemOverloadedError"
_CHECK_LOGIN = "check the user and password in MONGODB_URL, and the roles of that user (docs/security.md)"
_CHECK_SCHEMA = "run `hospital-worker schema` of this version"
_CHECK_SERVER = "check that MONGODB_URL names a replica set of a supported version, and what its provider allows"
_ADVICE = dict.fromkeys((11, 13, 18, 31), _CHECK_LOGIN) | dict.fromkeys((26, 73, 166), _CHECK_SCHEMA)
_CLASSES: dict[int, tuple[type[RegistryError], str]] = {
    code: (kind, name)
    for kind, names in (
        (OutageError, _OUTAGE),
        (TransientError, _TRANSIENT),
        (ConflictError, _CONFLICT),
        (PermanentError, _PERMANENT),
        (OperationRefused, _REFUSED),
    )
    for code, name in names.items()
}


def describe_code(code: int | None) -> str:
    """Return a server's error code as text that contains no document values."""
    name = _CLASSES[code][1] if code in _CLASSES else "error"
    return f"{name} ({code})"


def concerns_all(code: int | None) -> bool:
    """Whether an error that a bulk write met at one document says nothing about that document.

    A server that takes no writes answers so for each of them, and so does a router for those of a shard that it
    does not reach.
    """
    return code != DUPLICATE_KEY and code in _CLASSES and not issubclass(_CLASSES[code][0], PermanentError)


def only_duplicates(error: BulkWriteError) -> list[int]:
    """Return the positions of the documents that were refused because they are there already.

    Raises `error` if anything else failed, a write that the majority has not confirmed among it.
    """
    failures = error.details.get("writeErrors", ())
    if error.details.get("writeConcernErrors") or any(failure["code"] != DUPLICATE_KEY for failure in failures):
        raise error
    return [failure["index"] for failure in failures]


def _code_of(error: OperationFailure) -> int | None:
    if isinstance(error, BulkWriteError):
        details = error.details
        # A failed write concern takes precedence over single write errors: none of the writes is durable.
        failures = [*details.get("writeConcernErrors", ()), *details.get("writeErrors", ())]
        codes = [failure.get("code") for failure in failures]
        # That one document is refused does not make the error of all the others permanent.
        return next(filter(concerns_all, codes), codes[0] if codes else error.code)
    return error.code


def _brief(error: ConnectionFailure) -> str:
    # The rest of the driver's message is its internal state: long, and useless to an operator.
    return str(error).partition(", Timeout:")[0].partition(" (configured timeouts:")[0][:200]


def _outage_message(error: ConnectionFailure) -> str:
    if isinstance(error, NotPrimaryError) and isinstance(error.details, Mapping):
        # The driver reports this as a lost connection, with the server's whole reply as its text.
        return f"MongoDB refused a command: {describe_code(error.details.get('code'))}"
    return f"MongoDB cannot be reached: {_brief(error)}"


def translate(error: Exception) -> RegistryError:
    """Return the error of this service for an error of the driver or of BSON encoding, whose tracebacks are freed.

    An unknown code is transient: the job is retried a limited number of times.
    """
    free_tracebacks(error)
    match error:
        case WaitQueueTimeoutError():
            # Nothing was sent. This happens after an outage, when all connections have to be opened again, or if
            # the server is slow: more jobs would only wait as well.
            return OutageError("no connection to MongoDB became free in time: raise MONGODB_POOL_SIZE")
        case NetworkTimeout():
            # Here a slow server cannot be distinguished from a frozen one. The driver's next heartbeat reports a
            # frozen server as an outage.
            return TransientError(f"MongoDB did not answer in time: {_brief(error)}")
        case ConnectionFailure():
            return OutageError(_outage_message(error))
        case OperationFailure():
            code = _code_of(error)
            kind = _CLASSES[code][0] if code in _CLASSES else TransientError
            if kind is TransientError and error.has_error_label(_OVERLOADED):
                # The server asks for fewer requests, which a circuit breaker sees to.
                kind = OutageError
            elif kind is TransientError and error.has_error_label(TRANSIENT_TRANSACTION):
                kind = ConflictError
            advice = f"; {_ADVICE.get(code, _CHECK_SERVER)}" if code in _REFUSED else ""
            return kind(f"MongoDB refused a command: {describe_code(code)}{advice}")
        case BSONError() | OverflowError() | UnicodeError():
            return PermanentError(f"a value cannot be stored in MongoDB ({type(error).__name__})")
    return TransientError(f"MongoDB's driver failed ({type(error).__name__})")


def free_tracebacks(error: BaseException) -> None:
    """Remove the tracebacks of `error` and of all errors that led to it.

    The driver's frames refer to the errors that they handle, and with a traceback the errors refer to the frames.
    Such a cycle holds a connection and its buffers until the garbage collector finds it.
    """
    errors, seen = [error], {id(error)}
    for found in errors:
        found.__traceback__ = None
        for earlier in (found.__cause__, found.__context__):
            if earlier is not None and id(earlier) not in seen:
                seen.add(id(earlier))
                errors.append(earlier)


@contextmanager
def translated() -> Iterator[None]:
    """Translate driver errors that leave this block into errors of this service."""
    try:
        yield
    except (PyMongoError, BSONError, OverflowError, UnicodeError) as error:
        raise translate(error) from None
