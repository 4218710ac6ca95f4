from typing import Any

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from worker.errors import (
    ConflictError,
    OperationRefused,
    OutageError,
    PermanentError,
    RegistryError,
    TransientError,
)
from worker.mongo.errors import concerns_all, describe_code, only_duplicates, translate, translated

TRANSIENT = {"errorLabels": ["TransientTransactionError"]}
OVERLOADED = {"errorLabels": ["SystemOverloadedError", "RetryableError"]}
OVERLOADED_IN_TRANSACTION = {"errorLabels": ["TransientTransactionError", "SystemOverloadedError"]}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DuplicateKeyError("secret", 11000), ConflictError),
        (OperationFailure("secret", 112), ConflictError),
        (OperationFailure("secret", 112, TRANSIENT), ConflictError),
        (OperationFailure("secret", 251, TRANSIENT), ConflictError),
        (OperationFailure("secret", 24, TRANSIENT), ConflictError),
        (OperationFailure("secret", 10107, TRANSIENT), OutageError),
        (OperationFailure("secret", 462, OVERLOADED), OutageError),
        (OperationFailure("secret", 462, OVERLOADED_IN_TRANSACTION), OutageError),
        (OperationFailure("secret", 462), TransientError),
        (OperationFailure("secret", 13, OVERLOADED), OperationRefused),
        (OperationFailure("secret", 50), TransientError),
        (OperationFailure("secret", 262), TransientError),
        (OperationFailure("secret", 999_999), TransientError),
        (OperationFailure("secret"), TransientError),
        (OperationFailure("secret", 13), OperationRefused),
        (OperationFailure("secret", 18), OperationRefused),
        (OperationFailure("secret", 13, TRANSIENT), OperationRefused),
        (OperationFailure("secret", 26), OperationRefused),
        (OperationFailure("secret", 8000), OperationRefused),
        (OperationFailure("secret", 14031), OutageError),
        (OperationFailure("secret", 189), OutageError),
        (WriteConcernError("secret", 64), OutageError),
        (WriteConcernError("secret", 100), OutageError),
        (NotPrimaryError("not primary"), OutageError),
        (AutoReconnect("127.0.0.1:1: connection closed"), OutageError),
        (ServerSelectionTimeoutError("127.0.0.1:1: refused, Timeout: 10s, secret"), OutageError),
        (NetworkTimeout("127.0.0.1:1: timed out (configured timeouts: secret)"), TransientError),
        (WaitQueueTimeoutError("secret"), OutageError),
        (OperationFailure("secret", 121), PermanentError),
        (OperationFailure("secret", 10334), PermanentError),
        (DocumentTooLarge("secret"), PermanentError),
        (InvalidDocument("secret"), PermanentError),
        (OverflowError("secret"), PermanentError),
        (UnicodeEncodeError("utf-8", "secret", 0, 1, "secret"), PermanentError),
        (BulkWriteError({"writeErrors": [{"code": 121, "errmsg": "secret"}]}), PermanentError),
        (
            BulkWriteError({"writeErrors": [{"code": 121}], "writeConcernErrors": [{"code": 64}]}),
            OutageError,
        ),
        (OperationFailure("secret", 371), OutageError),
        (BulkWriteError({"writeErrors": [{"code": 371}, {"code": 371}]}), OutageError),
        (BulkWriteError({"writeErrors": [{"code": 11000}, {"code": 121}, {"code": 6}]}), OutageError),
        (BulkWriteError({"writeErrors": [{"code": 121}, {"code": 82}]}), TransientError),
        (BulkWriteError({"writeErrors": [{"code": 121}, {"code": 8000}]}), OperationRefused),
        (BulkWriteError({"writeErrors": [{"code": 11000}, {"code": 999_999}]}), ConflictError),
        (BulkWriteError({}), TransientError),
        (InvalidOperation("secret"), TransientError),
    ],
    ids=repr,
)
def test_each_driver_error_is_translated_to_its_retry_class(error: Exception, kind: type[RegistryError]) -> None:
    translation = translate(error)
    assert type(translation) is kind
    assert "secret" not in str(translation)
    assert "\n" not in str(translation)


@pytest.mark.parametrize(
    ("details", "positions"),
    [
        ({"writeErrors": [{"index": 3, "code": 11000}]}, [3]),
        (
            {"writeErrors": [{"index": 0, "code": 11000}, {"index": 2, "code": 11000}], "writeConcernErrors": []},
            [0, 2],
        ),
        ({"writeErrors": [{"index": 0, "code": 11000}, {"index": 2, "code": 121}]}, None),
        ({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}, None),
        ({"writeErrors": [{"index": 0, "code": 11000}], "writeConcernErrors": [{"code": 91}]}, None),
    ],
)
def test_only_documents_that_are_there_already_count_as_stored(
    details: dict[str, Any], positions: list[int] | None
) -> None:
    error = BulkWriteError(details)
    if positions is not None:
        assert only_duplicates(error) == positions
        return
    with pytest.raises(BulkWriteError) as raised:
        only_duplicates(error)
    assert raised.value is error


def test_the_message_names_an_unreachable_server() -> None:
    assert "127.0.0.1:1: refused" in str(
        translate(ServerSelectionTimeoutError("127.0.0.1:1: refused, Timeout: 10s"))
    )


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (13, "roles of that user"),
        (18, "user and password"),
        (26, "hospital-worker schema"),
        (59, "supported version"),
    ],
)
def test_the_message_of_a_refusal_says_what_to_change(code: int, advice: str) -> None:
    assert advice in str(translate(OperationFailure("secret", code)))


def test_a_reply_of_a_server_that_is_not_primary_is_not_quoted() -> None:
    answer = {"ok": 0.0, "errmsg": "not primary", "code": 10107, "topologyVersion": {"counter": 9}}
    translation = translate(NotPrimaryError("not primary", answer))
    assert type(translation) is OutageError
    assert str(translation) == "MongoDB refused a command: NotWritablePrimary (10107)"


def test_the_original_error_is_not_chained() -> None:
    with pytest.raises(ConflictError) as raised, translated():
        raise DuplicateKeyError("dup key: { _id: 'secret' }", 11000)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_errors_that_are_not_the_drivers_pass_unchanged() -> None:
    for error in (PermanentError("ours"), KeyError("bug")):
        with pytest.raises(type(error)) as raised, translated():
            raise error
        assert raised.value is error


def test_a_code_is_described_by_name_and_number() -> None:
    assert describe_code(121) == "DocumentValidationFailure (121)"
    assert describe_code(999_999) == "error (999999)"


@pytest.mark.parametrize("code", [6, 13, 91, 112, 189, 365, 371, 8000, 13388, 14031])
def test_an_error_of_the_server_says_nothing_about_one_document(code: int) -> None:
    assert concerns_all(code)


@pytest.mark.parametrize("code", [11000, 121, 10334, 17420, 16755, None])
def test_an_error_of_one_document_does_not_concern_the_others(code: int | None) -> None:
    assert not concerns_all(code)
