"""Makes transactions of your own code fail, on a private MongoDB, by the server's own fail points."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient

from producers.testing.command_log import WRITES

_TRANSIENT, _UNKNOWN = "TransientTransactionError", "UnknownTransactionCommitResult"
_WRITE_CONFLICT, _WRITE_CONCERN_FAILED, _OUT_OF_DISK_SPACE = 112, 64, 14_031


class TransactionFaults:
    """Faults of a MongoDB that was started with `enableTestCommands`, for all of its clients, one at a time.

    Each method is a context manager for `with`, in asynchronous tests too. A block whose fault nothing has met ends
    with `AssertionError`, because its test would show nothing. At its end, transactions that were left open are
    aborted: they would keep their locks for a minute.
    """

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        self._admin = client.admin

    @contextmanager
    def commit_fails(self, times: int = 1) -> Iterator[None]:
        """Let the next commits fail as after a conflict: nothing is stored; the whole transaction may be retried.

        The error is an `OperationFailure` with the label `TransientTransactionError`.
        """
        failure = {"errorCode": _WRITE_CONFLICT, "errorLabels": [_TRANSIENT]}
        with self._failing(["commitTransaction"], {"times": times}, failure):
            yield

    @contextmanager
    def commit_result_unknown(self, *, committed: bool, times: int = 1) -> Iterator[None]:
        """Let the next commits fail with an unknown result: only the commit may be retried.

        The error is a `PyMongoError` with the label `UnknownTransactionCommitResult`, as after a lost connection.
        With `committed` the server has committed, without it has not; a retried commit succeeds in both cases.
        """
        failure: dict[str, Any] = (
            {"writeConcernError": {"code": _WRITE_CONCERN_FAILED, "errmsg": "waiting for replication timed out"}}
            if committed
            else {"errorCode": _WRITE_CONCERN_FAILED, "errorLabels": [_UNKNOWN]}
        )
        with self._failing(["commitTransaction"], {"times": times}, failure):
            yield

    @contextmanager
    def writes_fail(self, *, after: int = 1) -> Iterator[None]:
        """Let all writes fail but the first ones, within transactions and without: the disk is full.

        The error is an `OperationFailure` without a label, so drivers do not retry it. An `insert_many` counts as
        one write.
        """
        with self._failing(WRITES, {"skip": after}, {"errorCode": _OUT_OF_DISK_SPACE}):
            yield

    @contextmanager
    def _failing(
        self, commands: Sequence[str], mode: Mapping[str, int], failure: Mapping[str, Any]
    ) -> Iterator[None]:
        before = self._set(mode, data={"failCommands": list(commands), **failure})
        try:
            yield
        finally:
            met = self._set("off") - before
            self._admin.command("killAllSessions", [])
        # Not in `finally`: an error of the block says more.
        if not met:
            raise AssertionError(f"no {' or '.join(commands)} met this fault: does the code use this MongoDB?")

    def _set(self, mode: Mapping[str, int] | str, **data: Mapping[str, Any]) -> int:
        """Set the fail point; return how many commands had met it before, since the server started."""
        answer = self._admin.command({"configureFailPoint": "failCommand", "mode": mode, **data})
        return int(answer["count"])
